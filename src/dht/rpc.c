/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "dht/rpc.h"

enum {
	FLAG_ID = 0x01,
	FLAG_TOKEN = 0x02,
	FLAG_INTERNAL = 0x04, /* in requests */
	FLAG_CLOSER = 0x04,   /* in replies */
	FLAG_TARGET = 0x08,   /* in requests */
	FLAG_ERROR = 0x08,    /* in replies */
	FLAG_VALUE = 0x10,
};

int
rpc_kind(uint8_t first)
{
	if (first == RPC_REQUEST || first == RPC_REPLY)
		return first;
	return (first >> 4) <= 1 ? ERR_VERSION : ERR_KIND;
}

/* Returns 0, or why a message with this first byte is not of the kind. */
static int
check_kind(uint8_t first, uint8_t kind)
{
	if (first == kind)
		return 0;
	return rpc_kind(first) < 0 ? rpc_kind(first) : ERR_KIND;
}

/* Reads the fields that follow the flags in both kinds of messages. */
static void
read_head(struct rd *r, uint64_t flags, uint16_t *tid, struct addr *to,
    const uint8_t **id, const uint8_t **token)
{
	*tid = rd_le16(r);
	*to = rd_addr4(r);
	if (flags & FLAG_ID)
		*id = rd_take(r, ID_LEN);
	if (flags & FLAG_TOKEN)
		*token = rd_take(r, RPC_TOKEN_LEN);
}

static void
write_head(struct wr *w, uint16_t tid, const struct addr *to, const uint8_t *id,
    const uint8_t *token)
{
	wr_le16(w, tid);
	wr_addr4(w, to);
	if (id != NULL)
		wr_raw(w, id, ID_LEN);
	if (token != NULL)
		wr_raw(w, token, RPC_TOKEN_LEN);
}

int
rpc_request_decode(struct rpc_request *m, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);
	uint8_t first = rd_u8(&r);
	uint64_t flags = rd_uint(&r);

	if (len > 0 && check_kind(first, RPC_REQUEST) != 0)
		return check_kind(first, RPC_REQUEST);
	*m = (struct rpc_request){.internal = flags & FLAG_INTERNAL};
	read_head(&r, flags, &m->tid, &m->to, &m->id, &m->token);
	m->command = rd_uint(&r);
	if (flags & FLAG_TARGET)
		m->target = rd_take(&r, RPC_TARGET_LEN);
	if (flags & FLAG_VALUE)
		m->value = rd_buffer(&r, len);
	/*
	 * Unknown flags and trailing bytes are accepted, as in the reference.
	 */
	return rd_ok(&r) ? 0 : ERR_MALFORMED;
}

int
rpc_reply_decode(struct rpc_reply *m, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);
	uint8_t first = rd_u8(&r);
	uint64_t flags = rd_uint(&r);

	if (len > 0 && check_kind(first, RPC_REPLY) != 0)
		return check_kind(first, RPC_REPLY);
	*m = (struct rpc_reply){.error = RPC_OK};
	read_head(&r, flags, &m->tid, &m->to, &m->id, &m->token);
	if (flags & FLAG_CLOSER) {
		size_t n = rd_count(&r, ADDR_WIRE4_LEN) * ADDR_WIRE4_LEN;

		m->closer.p = rd_take(&r, n);
		m->closer.len = n;
	}
	if (flags & FLAG_ERROR)
		m->error = rd_uint(&r);
	if (flags & FLAG_VALUE)
		m->value = rd_buffer(&r, len);
	return rd_ok(&r) ? 0 : ERR_MALFORMED;
}

size_t
rpc_request_encode(const struct rpc_request *m, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	wr_u8(&w, RPC_REQUEST);
	wr_u8(
	    &w, (uint8_t)((m->id ? FLAG_ID : 0) | (m->token ? FLAG_TOKEN : 0) |
			  (m->internal ? FLAG_INTERNAL : 0) |
			  (m->target ? FLAG_TARGET : 0) |
			  (m->value.p ? FLAG_VALUE : 0)));
	write_head(&w, m->tid, &m->to, m->id, m->token);
	wr_uint(&w, m->command);
	if (m->target != NULL)
		wr_raw(&w, m->target, RPC_TARGET_LEN);
	if (m->value.p != NULL)
		wr_buffer(&w, m->value.p, m->value.len);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

size_t
rpc_reply_encode(const struct rpc_reply *m, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	wr_u8(&w, RPC_REPLY);
	wr_u8(
	    &w, (uint8_t)((m->id ? FLAG_ID : 0) | (m->token ? FLAG_TOKEN : 0) |
			  (m->closer.len ? FLAG_CLOSER : 0) |
			  (m->error ? FLAG_ERROR : 0) |
			  (m->value.p ? FLAG_VALUE : 0)));
	write_head(&w, m->tid, &m->to, m->id, m->token);
	if (m->closer.len > 0) {
		wr_uint(&w, m->closer.len / ADDR_WIRE4_LEN);
		wr_raw(&w, m->closer.p, m->closer.len);
	}
	if (m->error != RPC_OK)
		wr_uint(&w, m->error);
	if (m->value.p != NULL)
		wr_buffer(&w, m->value.p, m->value.len);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

struct addr
rpc_closer(const struct rpc_reply *m, size_t i)
{
	struct rd r = rd_init(m->closer.p + i * ADDR_WIRE4_LEN, ADDR_WIRE4_LEN);

	return rd_addr4(&r);
}
