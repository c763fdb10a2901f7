/* SPDX-License-Identifier: ISC */
#include "relay/relay_message.h"

#include <string.h>

#include "base/err.h"
#include "base/wire.h"

enum {
	FLAG_INITIATOR = 1,
	/* From here on the first byte of a bit field announces 2, 4 or 8
	 * further ones instead. */
	FLAGS_WIDE = 0xfd,
};

/* Reads a bit field of any width and returns its first byte. */
static uint8_t
read_flags(struct rd *r)
{
	uint8_t first = rd_u8(r);
	const uint8_t *wide;

	if (first < FLAGS_WIDE)
		return first;
	wide = rd_take(r, (size_t)2 << (first - FLAGS_WIDE));
	return wide != NULL ? wide[0] : 0;
}

static void
read_token(struct rd *r, uint8_t token[RELAY_TOKEN_LEN])
{
	const uint8_t *p = rd_take(r, RELAY_TOKEN_LEN);

	if (p != NULL)
		memcpy(token, p, RELAY_TOKEN_LEN);
}

int
relay_pair_decode(struct relay_pair *m, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);
	uint64_t id;

	*m = (struct relay_pair){
	    .initiator = (read_flags(&r) & FLAG_INITIATOR) != 0};
	read_token(&r, m->token);
	id = rd_uint(&r);
	m->seq = rd_uint(&r);
	m->stream_id = (uint32_t)id;
	return rd_ok(&r) && id <= UINT32_MAX ? 0 : ERR_MALFORMED;
}

int
relay_unpair_decode(struct relay_unpair *m, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);

	*m = (struct relay_unpair){{0}};
	(void)read_flags(&r);
	read_token(&r, m->token);
	return rd_ok(&r) ? 0 : ERR_MALFORMED;
}

size_t
relay_pair_encode(const struct relay_pair *m, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	wr_u8(&w, m->initiator ? FLAG_INITIATOR : 0);
	wr_raw(&w, m->token, sizeof m->token);
	wr_uint(&w, m->stream_id);
	wr_uint(&w, m->seq);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

size_t
relay_unpair_encode(const struct relay_unpair *m, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	wr_u8(&w, 0); /* flags */
	wr_raw(&w, m->token, sizeof m->token);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

int
relay_refusal_decode(struct relay_refusal *m, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);

	*m = (struct relay_refusal){.reason = rd_uint(&r)};
	m->retry_s = rd_uint(&r);
	return rd_ok(&r) ? 0 : ERR_MALFORMED;
}

size_t
relay_refusal_encode(const struct relay_refusal *m, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	wr_uint(&w, m->reason);
	wr_uint(&w, m->retry_s);
	return wr_ok(&w) ? wr_len(&w) : 0;
}
