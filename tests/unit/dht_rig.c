/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "dht_rig.h"
#include "t.h"

static const struct addr self = {
    .ip = {203, 0, 113, 10}, .port = RIG_PORT, .family = ADDR_V4};

void
rig_config(struct dht_config *c, enum dht_role role)
{
	dht_config_init(c);
	c->role = role;
	c->port_first = c->port_last = RIG_PORT;
	c->port_any = false;
	c->health_ms = 0; /* most tests count what a quiet node sends */
	if (role == DHT_BOOTSTRAP)
		c->public_address = self;
}

void
rig_start(struct rig *r, const struct dht_config *c)
{
	r->d = dht_new(&r->host.core, c);
	ck_assert_ptr_nonnull(r->d);
	ck_assert_int_eq(dht_start(r->d), 0);
	r->server = r->d->self.server.handle;
	r->client = r->d->self.client.handle;
	ck_assert_int_ne(r->server, r->client);
}

void
rig_init(struct rig *r, const struct dht_config *c)
{
	*r = (struct rig){.self = self};
	core_host_init(&r->host, NULL, 4711);
	rig_start(r, c);
}

void
rig_init_alone(struct rig *r, enum dht_role role)
{
	struct dht_config c;
	struct dht_status st;

	rig_config(&c, role);
	rig_init(r, &c);
	rig_pass_ms(r, 1);
	dht_status(r->d, &st);
	ck_assert(st.bootstrapped);
	rig_skip(r);
}

void
rig_fini(struct rig *r)
{
	dht_free(r->d);
	/* No timer may still be armed. */
	ck_assert_uint_eq(timers_deadline(&r->host.timers), WORLD_NEVER);
	ck_assert_uint_eq(r->host.world.socks_open, 0);
	core_host_fini(&r->host);
}

void
rig_pass_ms(struct rig *r, uint64_t ms)
{
	core_host_pass_ms(&r->host, ms);
}

void
rig_pass_ticks(struct rig *r, unsigned ticks)
{
	rig_pass_ms(r, (uint64_t)ticks * TICK_MS);
}

void
rig_answer_up(struct rig *r, const struct dht_request *rq)
{
	struct dht_reply good = {.token = true, .closer = true};
	struct dht_reply unknown = {
	    .error = RPC_UNKNOWN_COMMAND, .closer = true};

	dht_reply(r->d, rq, dht_is_persistent(r->d) ? &good : &unknown);
}

int
rig_deliver(struct rig *r, int sock, const struct addr *from, const void *buf,
    size_t len)
{
	uint8_t *copy = t_copy(buf, len);
	struct dgram dg = {
	    .buf = copy, .len = len, .sock = sock, .from = *from};
	int err = dht_recv(r->d, &dg, &r->rq);

	if (err == DHT_HANDED_UP) {
		r->handed_up++;
		if (r->serve != NULL)
			r->serve(r, &r->rq);
		else
			rig_answer_up(r, &r->rq);
	}
	free(copy);
	return err;
}

int
rig_request(struct rig *r, int sock, const struct addr *from,
    const struct rpc_request *m)
{
	struct rpc_request full = *m;
	uint8_t buf[DGRAM_MAX];
	size_t len;

	if (full.to.family == ADDR_NONE)
		full.to = rig_address(r, sock);
	len = rpc_request_encode(&full, buf, sizeof buf);
	ck_assert_uint_gt(len, 0);
	return rig_deliver(r, sock, from, buf, len);
}

int
rig_ping_with_id(struct rig *r, const struct addr *from)
{
	uint8_t id[ID_LEN];
	struct rpc_request m = {
	    .tid = 77, .internal = true, .command = RPC_PING, .id = id};

	id_of_addr(id, from);
	return rig_request(r, r->server, from, &m);
}

bool
rig_take(struct rig *r, struct sim_sent *out)
{
	if (r->taken >= r->host.world.sent_len) {
		rig_skip(r);
		return false;
	}
	*out = r->host.world.sent[r->taken++];
	return true;
}

bool
rig_take_request(struct rig *r, struct sim_sent *out, struct rpc_request *m)
{
	while (rig_take(r, out))
		if (out->buf[0] == RPC_REQUEST) {
			ck_assert_int_eq(
			    rpc_request_decode(m, out->buf, out->len), 0);
			return true;
		}
	return false;
}

bool
rig_take_reply(struct rig *r, struct sim_sent *out, struct rpc_reply *m)
{
	while (rig_take(r, out))
		if (out->buf[0] == RPC_REPLY) {
			ck_assert_int_eq(
			    rpc_reply_decode(m, out->buf, out->len), 0);
			return true;
		}
	return false;
}

void
rig_skip(struct rig *r)
{
	sim_clear(&r->host.world);
	r->taken = 0;
}

struct addr
rig_address(const struct rig *r, int sock)
{
	struct addr a = r->self;

	a.port = r->host.world.socks[sock].bound.port;
	return a;
}

int
rig_answer(
    struct rig *r, const struct sim_sent *asked, const struct rig_answer *a)
{
	uint8_t buf[DGRAM_MAX], id[ID_LEN], closer[300 * ADDR_WIRE4_LEN];
	struct addr us = rig_address(r, asked->meta.sock);
	struct wr w = wr_init(closer, sizeof closer);
	struct rpc_request m;
	struct rpc_reply re = {.token = a->token, .error = a->error};
	size_t len;

	ck_assert_int_eq(rpc_request_decode(&m, asked->buf, asked->len), 0);
	re.tid = m.tid;
	re.to = a->us != NULL ? *a->us : us;
	id_of_addr(id, &asked->meta.to);
	if (a->id)
		re.id = id;
	for (size_t i = 0; i < a->closer_len; i++)
		wr_addr4(&w, &a->closer[i]);
	re.closer = (struct bytes){closer, wr_len(&w)};
	len = rpc_reply_encode(&re, buf, sizeof buf);
	ck_assert_uint_gt(len, 0);
	return rig_deliver(r, a->sock > 0 ? a->sock - 1 : asked->meta.sock,
	    a->from != NULL ? a->from : &asked->meta.to, buf, len);
}

void
rig_answer_all(struct rig *r)
{
	struct rig_answer good = {.id = true};
	struct rpc_request m;
	struct sim_sent s;

	while (rig_take_request(r, &s, &m))
		rig_answer(r, &s, &good);
}

void
rig_fill_table(struct rig *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct addr a = rig_host(i);
		uint8_t id[ID_LEN];

		id_of_addr(id, &a);
		if (table_check(&r->d->self.table, id, &a, NULL) == 0)
			table_add(&r->d->self.table, id, &a, r->d->self.tick);
	}
}

bool
rig_knows(const struct rig *r, const struct addr *a)
{
	uint8_t id[ID_LEN];

	id_of_addr(id, a);
	return table_find(&r->d->self.table, id) != 0;
}

void
rig_live_ms(struct rig *r, uint64_t ms)
{
	uint64_t end = r->host.world.w.now_us + ms * 1000, due;

	rig_answer_all(r);
	while ((due = timers_deadline(&r->host.timers)) <= end) {
		if (due > r->host.world.w.now_us)
			r->host.world.w.now_us = due;
		timers_run(&r->host.timers, r->host.world.w.now_us);
		rig_answer_all(r);
	}
	r->host.world.w.now_us = end;
}

void
rig_learn(struct rig *r, const struct addr *a)
{
	rig_ping_with_id(r, a);
	rig_answer_all(r);
	ck_assert(rig_knows(r, a));
}

struct addr
rig_host(unsigned i)
{
	return addr_v4(20, (uint8_t)(i >> 8), (uint8_t)i, 1, 4000);
}
