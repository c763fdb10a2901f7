/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "udx/packet.h"

bool
packet_is(const uint8_t *buf, size_t len, uint32_t *id)
{
	struct rd r = rd_init(buf, len);
	const uint8_t *head = rd_take(&r, 4);

	*id = rd_le32(&r);
	return len >= PACKET_HEADER && head[0] == PACKET_MAGIC &&
	       head[1] == PACKET_VERSION;
}

int
packet_decode(struct packet *p, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);
	struct bytes area;

	(void)rd_le16(&r); /* magic and version */
	*p = (struct packet){.type = rd_u8(&r)};
	p->offset = rd_u8(&r);
	p->id = rd_le32(&r);
	p->rwnd = rd_le32(&r);
	p->seq = rd_le32(&r);
	p->ack = rd_le32(&r);
	area.len = p->offset;
	area.p = rd_take(&r, area.len);
	p->payload.len = rd_left(&r);
	p->payload.p = rd_take(&r, p->payload.len);
	if (!rd_ok(&r))
		return ERR_MALFORMED;
	/* QUIRK: without an offset the whole payload is ranges, and also data
	 * if DATA is set (libudx, process_packet). */
	if (p->type & PACKET_SACK)
		p->sacks = p->offset > 0 ? area : p->payload;
	return 0;
}

void
packet_encode(uint8_t *out, const struct packet *p)
{
	struct wr w = wr_init(out, PACKET_HEADER);

	wr_u8(&w, PACKET_MAGIC);
	wr_u8(&w, PACKET_VERSION);
	wr_u8(&w, p->type);
	wr_u8(&w, p->offset);
	wr_le32(&w, p->id);
	wr_le32(&w, p->rwnd);
	wr_le32(&w, p->seq);
	wr_le32(&w, p->ack);
}

bool
packet_next_range(struct rd *r, struct packet_range *out)
{
	if (rd_left(r) < PACKET_RANGE)
		return false;
	out->start = rd_le32(r);
	out->end = rd_le32(r);
	return true;
}
