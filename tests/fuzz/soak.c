/* SPDX-License-Identifier: ISC */
/*
 * soak [DATAGRAMS [SEED]]: floods a node with damaged datagrams.
 *
 * Goal: no crash, nothing grows beyond its limits, an honest host is answered.
 * Method: the datagrams of the golden vectors, damaged, from thousands of
 * addresses, in virtual time; among them an honest host that validated its
 * address and sends a request once in a while, which must be answered each
 * time. Memory is measured after a tenth of the flood, when every table that
 * unknown hosts can fill is full, and may hardly grow after that. Then every
 * limit is lowered to its smallest value while its table is full, and the flood
 * continues; then the limits are raised again. drive.c checks all datagrams
 * sent against the budgets.
 */
#include <inttypes.h>
#include <jansson.h>
#include <malloc.h>
#include <sodium.h>

#include "base/err.h"
#include "drive.h"
#include "records/record.h"

enum {
	DATAGRAMS = 200000,
	SEEDS_MAX = 1024,
	HONEST_EACH = 500,   /* datagrams of the flood for each honest one */
	STEP_US = 3000,      /* of virtual time between two, on average */
	GROWTH_MAX = 262144, /* bytes, once the tables are full */
	HONEST = 0,          /* host number */
	LOWERED_MS = 1800 * 1000, /* after which nothing is in use any more */
};

struct seed {
	uint8_t *p;
	size_t len;
};

struct soak {
	struct drive d;
	struct seed seeds[SEEDS_MAX];
	size_t seeds_len;
	uint8_t token[RPC_TOKEN_LEN]; /* the honest host's */
	uint64_t asked, answered;
	uint16_t tid;
};

/* Provided by the sanitizer, whose malloc does not count for glibc. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t
memory_used(void)
{
	if (__sanitizer_get_current_allocated_bytes != NULL)
		return __sanitizer_get_current_allocated_bytes();
	return mallinfo2().uordblks;
}

static uint32_t
below(struct soak *s, uint32_t n)
{
	return prng_below(&s->d.fw.rand, n);
}

/* ---- samples ---- */

static void
add_seed(struct soak *s, const char *hex)
{
	size_t len = strlen(hex) / 2;
	uint8_t *p;

	if (len < 2 || len > DGRAM_MAX || s->seeds_len == SEEDS_MAX ||
	    (strncmp(hex, "03", 2) != 0 && strncmp(hex, "13", 2) != 0))
		return;
	p = malloc(len);
	MUST(p != NULL);
	if (sodium_hex2bin(p, len, hex, 2 * len, NULL, NULL, NULL) != 0) {
		free(p);
		return;
	}
	s->seeds[s->seeds_len++] = (struct seed){p, len};
}

/* Collects every member "hex", at any depth: the files nest a few levels. */
static void
collect(struct soak *s, const json_t *node)
{
	const char *name;
	json_t *child;
	size_t i;

	if (json_is_array(node)) {
		json_array_foreach(node, i, child) collect(s, child);
		return;
	}
	json_object_foreach((json_t *)node, name, child)
	{
		if (json_is_string(child) && strcmp(name, "hex") == 0)
			add_seed(s, json_string_value(child));
		else
			collect(s, child);
	}
}

static void
load(struct soak *s, const char *file)
{
	char path[4096];
	json_t *json;

	snprintf(path, sizeof path, "%s/%s", T_VECTORS, file);
	json = json_load_file(path, 0, NULL);
	MUST(json != NULL);
	collect(s, json);
	json_decref(json);
}

static size_t
damage(struct soak *s, uint8_t *buf, size_t len)
{
	uint32_t at = below(s, (uint32_t)len);

	switch (below(s, 6)) {
	case 0: /* a bit */
		buf[at] ^= (uint8_t)(1u << below(s, 8));
		return len;
	case 1: /* a byte */
		buf[at] = (uint8_t)prng_next(&s->d.fw.rand);
		return len;
	case 2: /* the end */
		return at + 1;
	case 3: /* a field */
		for (size_t i = at; i < len && i < at + 32; i++)
			buf[i] = (uint8_t)prng_next(&s->d.fw.rand);
		return len;
	case 4: /* more of the same */
		while (len < DGRAM_MAX && below(s, 64) != 0)
			buf[len++] = (uint8_t)prng_next(&s->d.fw.rand);
		return len;
	default: /* all but the tid */
		if (len > 4)
			buf[2] = (uint8_t)prng_next(&s->d.fw.rand);
		return len;
	}
}

/* Returns one of thousands of hosts; now and then one of the victims. */
static struct addr
stranger(struct soak *s)
{
	uint32_t r = below(s, UINT32_MAX);

	if (r % 8 == 0)
		return drive_host(&s->d, DRIVE_VICTIMS + r / 8 % 4);
	if (r % 8 == 1)
		return drive_host(&s->d, 1 + r / 8 % 40);
	return addr_v4(20, (uint8_t)(r >> 24), (uint8_t)(r >> 20 & 7),
	    (uint8_t)(r >> 17 & 7), (uint16_t)(1024 + (r & 255)));
}

/* Builds one of 65,536 values; its target is its hash. */
static void
make_value(struct soak *s, struct rpc_request *m, uint8_t target[HASH_LEN],
    uint8_t room[32])
{
	memset(room, (int)below(s, 256), 32);
	room[0] = (uint8_t)below(s, 256);
	hash_blake2b(target, room, 32);
	m->command = CMD_IMMUTABLE_PUT;
	m->value = (struct bytes){room, 32};
}

/* Builds an announce of one of a few keys, under any topic. */
static void
make_announce(struct soak *s, struct rpc_request *m, uint8_t target[HASH_LEN],
    uint8_t room[256])
{
	const struct key_pair *k = drive_key(below(s, DRIVE_KEYS));
	uint8_t sig[SIGNATURE_LEN], id[ID_LEN];
	struct addr self = drive_self(&s->d);
	struct announce_scope scope = {target, id, m->token};
	struct announce a = {.peer = {.key = k->public_key}};

	memset(target, (int)below(s, 256), HASH_LEN);
	target[0] = (uint8_t)below(s, 256);
	if (below(s, 4) == 0)
		key_target(target, k->public_key);
	id_of_addr(id, &self);
	announce_sign(sig, k, NS_ANNOUNCE, &scope, &a);
	a.signature = sig;
	m->command = CMD_ANNOUNCE;
	m->value.len = announce_encode(&a, room, 256);
	m->value.p = room;
}

/*
 * Builds a request with a valid token, so that it gets further. Returns its
 * length, or 0.
 */
static size_t
with_token(struct soak *s, const struct seed *seed, const struct addr *from,
    uint8_t *out)
{
	uint8_t token[RPC_TOKEN_LEN], room[256], target[HASH_LEN];
	struct rpc_request m;
	uint32_t kind = below(s, 32);

	if (rpc_request_decode(&m, seed->p, seed->len) != 0)
		return 0;
	dht_token(node_dht(s->d.n), from, token);
	m.token = token;
	if (kind < 3) {
		m.target = target;
		m.internal = false;
		if (kind == 0)
			make_announce(s, &m, target, room);
		else
			make_value(s, &m, target, room);
	}
	return rpc_request_encode(&m, out, DGRAM_MAX);
}

/* Answers a request of the node as its destination, which enters the table. */
static void
answer(struct soak *s)
{
	struct drive_asked *a = drive_asked(&s->d, 0);
	struct rpc_reply m = {.to = drive_self(&s->d)};
	uint8_t id[ID_LEN], buf[64];

	if (a == NULL || a->answered || drive_is_victim(&s->d, &a->to))
		return;
	a->answered = true;
	m.tid = a->tid;
	id_of_addr(id, &a->to);
	m.id = id;
	drive_recv(
	    &s->d, &a->to, a->sock, buf, rpc_reply_encode(&m, buf, sizeof buf));
}

/* Sends a PING with an id, so that the node sends one back. */
static size_t
with_id(struct soak *s, const struct addr *from, uint8_t *out)
{
	uint8_t id[ID_LEN];
	struct rpc_request m = {
	    .internal = true, .to = drive_self(&s->d), .id = id};

	id_of_addr(id, from);
	return rpc_request_encode(&m, out, DGRAM_MAX);
}

static void
flood(struct soak *s)
{
	const struct seed *seed = &s->seeds[below(s, (uint32_t)s->seeds_len)];
	struct addr from = stranger(s);
	uint8_t buf[DGRAM_MAX];
	size_t len = 0;

	if (!drive_is_victim(&s->d, &from) && below(s, 4) == 0)
		len = with_token(s, seed, &from, buf);
	if (below(s, 64) == 0)
		len = with_id(s, &from, buf);
	if (len == 0) {
		len = seed->len;
		memcpy(buf, seed->p, len);
		for (uint32_t n = below(s, 3); n > 0 && len > 1; n--)
			len = damage(s, buf, len);
	}
	drive_recv(&s->d, &from, drive_server_sock(&s->d), buf, len);
	answer(s);
}

/* ---- the honest host ---- */

/* Finds the reply to the honest host among the datagrams just sent. */
static bool
was_answered(struct soak *s, const struct addr *to, uint16_t tid)
{
	struct rpc_reply m;

	for (size_t i = 0; i < s->d.fw.sent_len; i++) {
		const struct sim_sent *f = &s->d.fw.sent[i];

		if (!addr_equal(&f->meta.to, to) ||
		    rpc_reply_decode(&m, f->buf, f->len) != 0 || m.tid != tid)
			continue;
		MUST(m.error == RPC_OK || m.error == RPC_INVALID_TOKEN);
		if (m.token != NULL)
			memcpy(s->token, m.token, sizeof s->token);
		return true;
	}
	return false;
}

static void
ask(struct soak *s, bool internal, uint64_t command, bool token)
{
	static const uint8_t target[32] = {42};
	struct addr from = drive_host(&s->d, HONEST);
	struct rpc_request m = {.tid = ++s->tid,
	    .to = drive_self(&s->d),
	    .internal = internal,
	    .command = command,
	    .token = token ? s->token : NULL,
	    .target = target};
	uint8_t buf[128];
	struct dgram dg = {
	    .buf = buf, .sock = drive_server_sock(&s->d), .from = from};

	dg.len = rpc_request_encode(&m, buf, sizeof buf);
	MUST(dg.len > 0);
	MUST(node_recv(s->d.n, &dg) <= 0);
	s->asked++;
	s->answered += was_answered(s, &from, m.tid);
	drive_settle(&s->d);
}

/* Sends a lookup for a token, which validates the address, then the others. */
static void
behave(struct soak *s)
{
	ask(s, false, CMD_LOOKUP, false);
	ask(s, false, CMD_LOOKUP, true);
	ask(s, true, RPC_PING, false);
	ask(s, true, RPC_FIND_NODE, false);
	ask(s, false, CMD_FIND_PEER, false);
	ask(s, false, CMD_IMMUTABLE_GET, false);
}

static void
soak_init(struct soak *s, uint64_t seed)
{
	struct drive_config c = {
	    .role = DHT_BOOTSTRAP, .seed = seed, .announce_ms = 600000};

	limits_init(&c.limits);
	/* Less than the flood could use, or the budgets were not tested. */
	c.limits.unvalidated_burst_bytes = c.limits.forward_burst_bytes = 4096;
	c.limits.unvalidated_rate_bytes = c.limits.forward_rate_bytes = 100;
	c.limits.sources = 8192;
	c.limits.records = c.limits.forwards = c.limits.refreshes = 256;
	c.limits.values = 64;
	c.limits.value_bytes = 65536;
	c.limits.forward_hosts = 512;
	c.limits.operations = 64;
	c.limits.announcements = 16;
	drive_init(&s->d, &c);
	load(s, "rpc.json");
	load(s, "records.json");
	MUST(s->seeds_len > 100);
}

static void
run(struct soak *s, uint64_t datagrams)
{
	size_t full = 0, used = 0;

	for (uint64_t i = 1; i <= datagrams; i++) {
		flood(s);
		if (below(s, 8) == 0)
			drive_pass_ms(&s->d, below(s, 16 * STEP_US / 1000));
		if (i % HONEST_EACH == 0)
			behave(s);
		if (i == datagrams / 10)
			full = memory_used();
	}
	used = memory_used();
	printf("%" PRIu64 " datagrams, %" PRIu64 " of %" PRIu64
	       " honest requests answered, %zu kB after a tenth, %zu kB now\n",
	    datagrams, s->answered, s->asked, full / 1024, used / 1024);
	MUST(s->asked > 0 && s->answered == s->asked);
	MUST(used <= full + GROWTH_MAX);
}

/* Starts operations and announcements until their limits refuse more. */
static void
fill_local(struct soak *s)
{
	uint8_t target[32];
	uint32_t op = 0;
	int err;

	for (unsigned i = 0; i <= s->d.limits.announcements; i++) {
		memset(target, (int)i, sizeof target);
		err = node_announce(s->d.n, NULL, target, &op);
		drive_started(&s->d, err, op);
	}
	MUST(err == ERR_LIMIT);
	do {
		memset(target, (int)op, sizeof target);
		err = node_find_node(s->d.n, target, &op);
		drive_started(&s->d, err, op);
	} while (err == 0);
	drive_settle(&s->d);
}

/*
 * Lowers all limits to their smallest values, but for the rates that drive.c
 * checks from the start of the node on.
 */
static void
lower_limits(struct soak *s)
{
	struct limits before = s->d.limits, *l = &s->d.limits;

	for (unsigned i = 0; i < limit_table_len; i++)
		memcpy((uint8_t *)l + limit_table[i].offset,
		    &limit_table[i].low, sizeof limit_table[i].low);
	l->unvalidated_burst_bytes = before.unvalidated_burst_bytes;
	l->unvalidated_rate_bytes = before.unvalidated_rate_bytes;
	node_set_limits(s->d.n, l);
	drive_settle(&s->d);
}

/* Floods tables that were filled under larger limits. */
static void
run_lowered(struct soak *s, uint64_t datagrams)
{
	struct limits before = s->d.limits;
	struct node_status st;

	fill_local(s);
	lower_limits(s);
	for (uint64_t i = 0; i < datagrams; i++) {
		flood(s);
		if (below(s, 8) == 0)
			drive_pass_ms(&s->d, below(s, 16 * STEP_US / 1000));
	}
	drive_pass_ms(&s->d, LOWERED_MS);
	node_status(s->d.n, &st);
	MUST(st.dht.sources <= s->d.limits.sources);
	s->d.limits = before;
	node_set_limits(s->d.n, &s->d.limits);
	for (uint64_t i = 0; i < datagrams; i++)
		flood(s);
}

int
main(int argc, char **argv)
{
	uint64_t datagrams = argc > 1 ? strtoull(argv[1], NULL, 10) : DATAGRAMS;
	static struct soak s;

	MUST(sodium_init() >= 0);
	soak_init(&s, argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
	run(&s, datagrams);
	run_lowered(&s, datagrams / 10);
	for (size_t i = 0; i < s.seeds_len; i++)
		free(s.seeds[i].p);
	drive_fini(&s.d);
	return EXIT_SUCCESS;
}
