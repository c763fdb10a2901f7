/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "records/record.h"
#include "relay_net.h"
#include "t.h"

struct addr
relay_addr(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(&a, text, 0), 0);
	return a;
}

void
relay_config(struct dht_config *c)
{
	dht_config_init(c);
	c->health_ms = 0; /* tests count the PINGs of other modules */
	c->role = DHT_BOOTSTRAP;
	c->host = addr_v4(0, 0, 0, 0, 0);
}

void
relay_init_limited(struct relay_net *n, const struct dht_config *c,
    const struct limits *l, const char *address)
{
	struct dht_config mine = *c;

	memset(n, 0, sizeof *n);
	core_host_init(&n->host, NULL, 4711);
	n->host.limits = *l;
	n->self = relay_addr(address);
	mine.port_first = mine.port_last = n->self.port;
	if (mine.role == DHT_BOOTSTRAP)
		mine.public_address = n->self;
	n->d = dht_new(&n->host.core, &mine);
	ck_assert_ptr_nonnull(n->d);
	ck_assert_int_eq(dht_start(n->d), 0);
	n->r = records_new(&n->host.core, n->d);
	ck_assert_ptr_nonnull(n->r);
	n->rt = router_new(&n->host.core, n->d, n->r);
	ck_assert_ptr_nonnull(n->rt);
	n->sock = sim_sock_at(&n->host.world, n->self.port);
	ck_assert_int_ne(n->sock, WORLD_NO_SOCK);
	relay_pass_ms(n, 0);
	sim_clear(&n->host.world);
}

void
relay_init(struct relay_net *n, const struct dht_config *c, const char *address)
{
	struct limits l;

	limits_init(&l);
	relay_init_limited(n, c, &l, address);
}

void
relay_fini(struct relay_net *n)
{
	router_free(n->rt);
	records_free(n->r);
	dht_free(n->d);
	core_host_fini(&n->host);
}

void
relay_pass_ms(struct relay_net *n, uint64_t ms)
{
	sim_advance_ms(&n->host.world, ms);
	timers_run(&n->host.timers, n->host.world.w.now_us);
}

int
relay_deliver(struct relay_net *n, const struct addr *from, const uint8_t *buf,
    size_t len)
{
	struct dgram dg = {
	    .buf = buf, .len = len, .sock = n->sock, .from = *from};
	struct dht_request rq;
	int err = dht_recv(n->d, &dg, &rq);

	if (err != DHT_HANDED_UP)
		return err;
	records_note_host(n->r, from);
	return rq.m.command <= CMD_PEER_HOLEPUNCH
		   ? router_serve(n->rt, &rq, &n->call)
		   : records_serve(n->r, &rq);
}

int
relay_request(
    struct relay_net *n, const struct addr *from, const struct rpc_request *m)
{
	struct rpc_request full = *m;
	size_t len;

	full.to = n->self;
	len = rpc_request_encode(&full, n->buf, sizeof n->buf);
	ck_assert_uint_gt(len, 0);
	return relay_deliver(n, from, n->buf, len);
}

void
relay_announce(struct relay_net *n, const struct addr *from, uint8_t seed,
    uint8_t target[HASH_LEN])
{
	uint8_t seeds[KEY_SEED_LEN], token[RPC_TOKEN_LEN], buf[512];
	uint8_t sig[SIGNATURE_LEN], id[ID_LEN];
	struct key_pair keys;
	struct announce a;
	struct announce_scope scope = {target, id, token};
	struct rpc_request m = {.tid = 1, .command = CMD_ANNOUNCE};

	memset(seeds, seed, sizeof seeds);
	key_pair_from_seed(&keys, seeds);
	key_target(target, keys.public_key);
	dht_token(n->d, from, token);
	id_of_addr(id, &n->self);
	a = (struct announce){.peer.key = keys.public_key, .signature = sig};
	announce_sign(sig, &keys, NS_ANNOUNCE, &scope, &a);
	m.token = token;
	m.target = target;
	m.value.p = buf;
	m.value.len = announce_encode(&a, buf, sizeof buf);
	ck_assert_uint_gt(m.value.len, 0);
	ck_assert_int_eq(relay_request(n, from, &m), 0);
	sim_clear(&n->host.world);
}

void
relay_learn(struct relay_net *n, const struct addr *node)
{
	struct rpc_request ping = {
	    .tid = 7, .internal = true, .command = RPC_PING};
	struct rpc_reply pong = {.to = n->self};
	struct rpc_request asked;
	uint8_t id[ID_LEN], buf[64];
	const struct sim_sent *s;
	size_t len;

	id_of_addr(id, node);
	ping.id = pong.id = id;
	ck_assert_int_eq(relay_request(n, node, &ping), 0);
	for (size_t i = 0; i < n->host.world.sent_len; i++) {
		s = &n->host.world.sent[i];
		if (rpc_kind(s->buf[0]) != RPC_REQUEST ||
		    !addr_equal(&s->meta.to, node) ||
		    rpc_request_decode(&asked, s->buf, s->len) != 0)
			continue;
		pong.tid = asked.tid;
		len = rpc_reply_encode(&pong, buf, sizeof buf);
		struct dgram dg = {.buf = buf,
		    .len = len,
		    .sock = s->meta.sock,
		    .from = *node};
		struct dht_request rq;

		ck_assert_int_eq(dht_recv(n->d, &dg, &rq), 0);
		sim_clear(&n->host.world);
		return;
	}
	ck_abort_msg("the new node was not checked");
}
