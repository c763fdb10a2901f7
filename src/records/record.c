/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "records/record.h"

/* Flags of an announce, protocol 02 §3. Unknown ones are ignored. */
enum { HAS_PEER = 1, HAS_REFRESH = 2, HAS_SIGNATURE = 4, HAS_BUMP = 8 };

enum { UINT_LEN_MAX = 9, PEER_LEN_MIN = KEY_LEN + 1 };

static int
decode_result(const struct rd *r)
{
	return rd_ok(r) ? 0 : ERR_MALFORMED;
}

static size_t
encoded_len(const struct wr *w)
{
	return wr_ok(w) ? wr_len(w) : 0;
}

static struct rd
addr_reader(const struct peer_record *p, size_t i)
{
	return rd_init(p->relays.p + i * ADDR_WIRE4_LEN, ADDR_WIRE4_LEN);
}

struct addr
peer_relay(const struct peer_record *p, size_t i)
{
	struct rd r = addr_reader(p, i);

	return rd_addr4(&r);
}

static struct peer_record
rd_peer(struct rd *r)
{
	struct peer_record p = {.key = rd_take(r, KEY_LEN)};

	p.relays.len = rd_count(r, ADDR_WIRE4_LEN) * ADDR_WIRE4_LEN;
	p.relays.p = rd_take(r, p.relays.len);
	return p;
}

static void
wr_peer(struct wr *w, const struct peer_record *p)
{
	wr_raw(w, p->key, KEY_LEN);
	wr_uint(w, peer_relays_len(p));
	wr_raw(w, p->relays.p, p->relays.len);
}

int
peer_decode(struct peer_record *p, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);

	*p = rd_peer(&r);
	return decode_result(&r);
}

size_t
peer_encode(const struct peer_record *p, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	wr_peer(&w, p);
	return encoded_len(&w);
}

int
announce_decode(struct announce *a, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);
	uint64_t flags = rd_uint(&r);

	*a = (struct announce){0};
	if (flags & HAS_PEER)
		a->peer = rd_peer(&r);
	if (flags & HAS_REFRESH)
		a->refresh = rd_take(&r, HASH_LEN);
	if (flags & HAS_SIGNATURE)
		a->signature = rd_take(&r, SIGNATURE_LEN);
	if (flags & HAS_BUMP)
		a->bump = rd_uint(&r);
	return decode_result(&r);
}

size_t
announce_encode(const struct announce *a, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	wr_uint(&w, (a->peer.key != NULL ? HAS_PEER : 0) |
			(a->refresh != NULL ? HAS_REFRESH : 0) |
			(a->signature != NULL ? HAS_SIGNATURE : 0) |
			(a->bump != 0 ? HAS_BUMP : 0));
	if (a->peer.key != NULL)
		wr_peer(&w, &a->peer);
	if (a->refresh != NULL)
		wr_raw(&w, a->refresh, HASH_LEN);
	if (a->signature != NULL)
		wr_raw(&w, a->signature, SIGNATURE_LEN);
	if (a->bump != 0)
		wr_uint(&w, a->bump);
	return encoded_len(&w);
}

/*
 * The bytes that an announce signature covers, in parts. The peer is encoded
 * again; all of it is raw bytes except the count of relay addresses.
 */
struct announce_parts {
	uint8_t count[UINT_LEN_MAX];
	struct key_part part[7];
};

static void
set_announce_parts(struct announce_parts *ap, const struct announce_scope *s,
    const struct announce *a)
{
	struct wr w = wr_init(ap->count, sizeof ap->count);

	wr_uint(&w, peer_relays_len(&a->peer));
	ap->part[0] = (struct key_part){s->target, HASH_LEN};
	ap->part[1] = (struct key_part){s->id, HASH_LEN};
	ap->part[2] = (struct key_part){s->token, HASH_LEN};
	ap->part[3] = (struct key_part){a->peer.key, KEY_LEN};
	ap->part[4] = (struct key_part){ap->count, wr_len(&w)};
	ap->part[5] = (struct key_part){a->peer.relays.p, a->peer.relays.len};
	ap->part[6] =
	    (struct key_part){a->refresh, a->refresh != NULL ? HASH_LEN : 0};
}

void
announce_sign(uint8_t sig[SIGNATURE_LEN], const struct key_pair *k,
    enum key_namespace ns, const struct announce_scope *s,
    const struct announce *a)
{
	struct announce_parts ap;

	set_announce_parts(&ap, s, a);
	key_sign(sig, k, ns, ap.part, 7);
}

int
announce_verify(const struct announce *a, enum key_namespace ns,
    const struct announce_scope *s)
{
	struct announce_parts ap;

	set_announce_parts(&ap, s, a);
	return key_verify(a->signature, a->peer.key, ns, ap.part, 7);
}

int
lookup_decode(
    struct lookup_reply *l, uint64_t *bump, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);
	size_t n = rd_count(&r, PEER_LEN_MIN);

	*l = (struct lookup_reply){.r = r, .left = n};
	while (n-- > 0 && rd_ok(&r))
		rd_peer(&r);
	/* Older nodes send no bump. */
	*bump = rd_ok(&r) && rd_left(&r) > 0 ? rd_uint(&r) : 0;
	return decode_result(&r);
}

bool
lookup_next(struct lookup_reply *l, struct peer_record *p)
{
	if (l->left == 0)
		return false;
	l->left--;
	*p = rd_peer(&l->r);
	return true;
}

size_t
lookup_encode(const struct peer_record *peers, size_t peers_len, uint64_t bump,
    uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	wr_uint(&w, peers_len);
	for (size_t i = 0; i < peers_len; i++)
		wr_peer(&w, &peers[i]);
	wr_uint(&w, bump);
	return encoded_len(&w);
}

static void
rd_mutable(struct rd *r, struct mutable_value *m)
{
	m->seq = rd_uint(r);
	m->value = rd_buffer(r, rd_left(r));
	m->signature = rd_take(r, SIGNATURE_LEN);
}

static void
wr_mutable(struct wr *w, const struct mutable_value *m)
{
	wr_uint(w, m->seq);
	wr_buffer(w, m->value.p, m->value.len);
	wr_raw(w, m->signature, SIGNATURE_LEN);
}

int
mutable_put_decode(struct mutable_value *m, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);

	*m = (struct mutable_value){.key = rd_take(&r, KEY_LEN)};
	rd_mutable(&r, m);
	return decode_result(&r);
}

size_t
mutable_put_encode(const struct mutable_value *m, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	wr_raw(&w, m->key, KEY_LEN);
	wr_mutable(&w, m);
	return encoded_len(&w);
}

int
mutable_value_decode(struct mutable_value *m, const uint8_t *buf, size_t len)
{
	struct rd r = rd_init(buf, len);

	*m = (struct mutable_value){0};
	rd_mutable(&r, m);
	return decode_result(&r);
}

size_t
mutable_value_encode(const struct mutable_value *m, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	wr_mutable(&w, m);
	return encoded_len(&w);
}

/* Encodes the sequence number and the length, which precede the value. */
static size_t
encode_signed_head(
    uint8_t head[2 * UINT_LEN_MAX], uint64_t seq, size_t value_len)
{
	struct wr w = wr_init(head, 2 * UINT_LEN_MAX);

	wr_uint(&w, seq);
	wr_uint(&w, value_len);
	return wr_len(&w);
}

void
mutable_sign(uint8_t sig[SIGNATURE_LEN], const struct key_pair *k, uint64_t seq,
    struct bytes value)
{
	uint8_t head[2 * UINT_LEN_MAX];
	size_t head_len = encode_signed_head(head, seq, value.len);
	struct key_part parts[] = {{head, head_len}, {value.p, value.len}};

	key_sign(sig, k, NS_MUTABLE_PUT, parts, 2);
}

int
mutable_verify(const struct mutable_value *m, const uint8_t key[KEY_LEN])
{
	uint8_t head[2 * UINT_LEN_MAX];
	size_t head_len = encode_signed_head(head, m->seq, m->value.len);
	struct key_part parts[] = {
	    {head, head_len}, {m->value.p, m->value.len}};

	return key_verify(m->signature, key, NS_MUTABLE_PUT, parts, 2);
}
