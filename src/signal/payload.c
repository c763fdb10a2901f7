/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "base/wire.h"
#include "signal/payload.h"

/* Sent in all version fields of parts; never checked, as in the reference. */
enum { FIELD_VERSION = 1 };

typedef struct addr read_addr_fn(struct rd *r);

/* Reads a list and stores its first max entries. Returns their number. */
static uint8_t
read_addrs(struct rd *r, read_addr_fn *read_addr, size_t wire_len,
    struct addr *out, size_t max)
{
	size_t n = rd_count(r, wire_len), kept = n < max ? n : max;

	for (size_t i = 0; i < kept; i++)
		out[i] = read_addr(r);
	rd_take(r, (n - kept) * wire_len);
	return (uint8_t)kept;
}

static void
read_holepunch(struct rd *r, struct payload *p)
{
	size_t n;

	p->holepunch_id = rd_uint(r);
	n = rd_count(r, 2 * ADDR_WIRE4_LEN);
	for (size_t i = 0; i < n && i < PAYLOAD_RELAYS_MAX; i++) {
		p->relays[i].relay = rd_addr4(r);
		p->relays[i].peer = rd_addr4(r);
		p->relays_len++;
	}
	rd_take(r, (n - p->relays_len) * 2 * ADDR_WIRE4_LEN);
}

static void
read_udx(struct rd *r, struct payload *p)
{
	uint64_t id;

	rd_uint(r); /* version */
	p->features = rd_uint(r);
	id = rd_uint(r);
	p->udx_id = (uint32_t)id;
	p->udx_seq = rd_uint(r);
	if (id > UINT32_MAX)
		r->bad = true;
}

static void
read_fixed(struct rd *r, uint8_t *out, size_t len)
{
	const uint8_t *p = rd_take(r, len);

	if (p != NULL)
		memcpy(out, p, len);
}

static void
read_relay_through(struct rd *r, struct payload *p)
{
	rd_uint(r); /* version */
	rd_uint(r); /* flags */
	read_fixed(r, p->relay_key, sizeof p->relay_key);
	read_fixed(r, p->relay_token, sizeof p->relay_token);
}

int
payload_decode(struct payload *p, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);

	*p = (struct payload){.version = rd_uint(&r)};
	if (p->version != PAYLOAD_VERSION)
		return rd_ok(&r) ? 0 : ERR_MALFORMED;
	p->flags = rd_uint(&r);
	p->error = rd_uint(&r);
	p->firewall = rd_uint(&r);
	if (payload_has(p, PAYLOAD_HOLEPUNCH))
		read_holepunch(&r, p);
	if (payload_has(p, PAYLOAD_ADDRS4))
		p->addrs4_len = read_addrs(
		    &r, rd_addr4, ADDR_WIRE4_LEN, p->addrs4, PAYLOAD_ADDRS_MAX);
	if (payload_has(p, PAYLOAD_ADDRS6))
		p->addrs6_len = read_addrs(
		    &r, rd_addr6, ADDR_WIRE6_LEN, p->addrs6, PAYLOAD_ADDRS_MAX);
	if (payload_has(p, PAYLOAD_UDX))
		read_udx(&r, p);
	if (payload_has(p, PAYLOAD_SECRET_STREAM))
		rd_uint(&r); /* version */
	if (payload_has(p, PAYLOAD_RELAY_THROUGH))
		read_relay_through(&r, p);
	if (payload_has(p, PAYLOAD_RELAY_ADDRS))
		p->relay_addrs_len = read_addrs(&r, rd_addr4, ADDR_WIRE4_LEN,
		    p->relay_addrs, PAYLOAD_RELAYS_MAX);
	/* Unknown flags and surplus bytes are accepted, as in the reference. */
	return rd_ok(&r) ? 0 : ERR_MALFORMED;
}

static void
write_addrs4(struct wr *w, const struct addr *addrs, size_t n)
{
	wr_uint(w, n);
	for (size_t i = 0; i < n; i++)
		wr_addr4(w, &addrs[i]);
}

static void
write_addrs6(struct wr *w, const struct addr *addrs, size_t n)
{
	wr_uint(w, n);
	for (size_t i = 0; i < n; i++)
		wr_addr6(w, &addrs[i]);
}

static void
write_holepunch(struct wr *w, const struct payload *p)
{
	wr_uint(w, p->holepunch_id);
	wr_uint(w, p->relays_len);
	for (size_t i = 0; i < p->relays_len; i++) {
		wr_addr4(w, &p->relays[i].relay);
		wr_addr4(w, &p->relays[i].peer);
	}
}

static void
write_udx(struct wr *w, const struct payload *p)
{
	wr_uint(w, FIELD_VERSION);
	wr_uint(w, p->features);
	wr_uint(w, p->udx_id);
	wr_uint(w, p->udx_seq);
}

static void
write_relay_through(struct wr *w, const struct payload *p)
{
	wr_uint(w, FIELD_VERSION);
	wr_uint(w, 0); /* flags */
	wr_raw(w, p->relay_key, sizeof p->relay_key);
	wr_raw(w, p->relay_token, sizeof p->relay_token);
}

size_t
payload_encode(const struct payload *p, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	wr_uint(&w, PAYLOAD_VERSION);
	wr_uint(&w, p->flags);
	wr_uint(&w, p->error);
	wr_uint(&w, p->firewall);
	if (payload_has(p, PAYLOAD_HOLEPUNCH))
		write_holepunch(&w, p);
	if (payload_has(p, PAYLOAD_ADDRS4))
		write_addrs4(&w, p->addrs4, p->addrs4_len);
	if (payload_has(p, PAYLOAD_ADDRS6))
		write_addrs6(&w, p->addrs6, p->addrs6_len);
	if (payload_has(p, PAYLOAD_UDX))
		write_udx(&w, p);
	if (payload_has(p, PAYLOAD_SECRET_STREAM))
		wr_uint(&w, FIELD_VERSION);
	if (payload_has(p, PAYLOAD_RELAY_THROUGH))
		write_relay_through(&w, p);
	if (payload_has(p, PAYLOAD_RELAY_ADDRS))
		write_addrs4(&w, p->relay_addrs, p->relay_addrs_len);
	return wr_ok(&w) ? wr_len(&w) : 0;
}
