/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "punch/punch_socket.h"

enum {
	/* The reference takes four; six show whether ports are sequential,
	 * protocol 04 §17.7. */
	SAMPLES = 6,
	PASSES = 2, /* protocol 04 §2 */
	PING_MS = 1000,
	/* Skip the latest nodes of the table: they may serve as relays of the
	 * attempt and report our address then (pitfall N5). */
	NEWEST_SKIPPED = 5,
	TABLE_SMALL = 8,
	/* Until the mapping lifetime is measured: stricter NATs drop a mapping
	 * after 30 s, RFC 4787 requires 120 s. */
	RENEW_S = 20,
	SAMPLE_RENEWALS = 6, /* after which a sample expires */
	/* Renewals after which the mapping of a destination may be gone. */
	ALIVE_RENEWALS = 2,
	REFRESH = 2,
	NODES_EXAMINED_MAX = 256, /* of a large routing table */
};

static void on_renew(struct timer *t);

struct punch_socket *
punch_socket_open(struct socket_table *t, int *err)
{
	struct punch_socket *s = calloc(1, sizeof *s);

	*err = ERR_MEMORY;
	if (s == NULL)
		return NULL;
	s->table = t;
	s->entry.punch_socket = s;
	s->renew_timer.fire = on_renew;
	if ((*err = socket_table_open(t, &s->entry, &s->port)) != 0) {
		free(s);
		return NULL;
	}
	nat_classifier_init(&s->classifier, true);
	punch_socket_sample(s, SAMPLES);
	return s;
}

void
punch_socket_close(struct punch_socket *s)
{
	/* Closing cancels the PINGs in flight, which must not start others. */
	s->closing = true;
	timer_disarm(s->table->core->timers, &s->renew_timer);
	socket_table_close(s->table, &s->entry);
	free(s);
}

/* ---- destinations ---- */

/* Returns how many of the latest destinations the ring still holds. */
static uint32_t
dests_kept(const struct punch_socket *s)
{
	return s->dests_len < PUNCH_DESTS_MAX ? s->dests_len : PUNCH_DESTS_MAX;
}

static const struct addr *
get_dest(const struct punch_socket *s, uint32_t order)
{
	return &s->dests[order % PUNCH_DESTS_MAX];
}

static uint64_t
renew_interval_us(const struct punch_socket *s)
{
	return mapping_keep_us(
	    dht_mapping(s->table->dht), RENEW_S, MAPPING_KEEP_MAX_S);
}

/* Returns the order of the latest use of a destination, or dests_len. */
static uint32_t
find_dest(const struct punch_socket *s, const struct addr *to)
{
	for (uint32_t i = 1; i <= dests_kept(s); i++)
		if (addr_equal(get_dest(s, s->dests_len - i), to))
			return s->dests_len - i;
	return s->dests_len;
}

/* Returns false if the NAT mapping may have expired, so that the next datagram
 * creates a new one. */
static bool
is_alive(const struct punch_socket *s, uint32_t order)
{
	uint64_t used_us = s->dest_used_us[order % PUNCH_DESTS_MAX];

	return s->table->core->world->now_us - used_us <=
	       ALIVE_RENEWALS * renew_interval_us(s);
}

uint32_t
punch_socket_order(const struct punch_socket *s, const struct addr *to)
{
	uint32_t order = find_dest(s, to);

	return order < s->dests_len && is_alive(s, order) ? order
							  : s->dests_len;
}

uint32_t
punch_socket_order_host(const struct punch_socket *s, const struct addr *host)
{
	for (uint32_t i = s->dests_len - dests_kept(s); i < s->dests_len; i++)
		if (addr_same_host(get_dest(s, i), host))
			return i;
	return s->dests_len;
}

void
punch_socket_note_sent(struct punch_socket *s, const struct addr *to)
{
	uint32_t order = punch_socket_order(s, to);

	s->dests[order % PUNCH_DESTS_MAX] = *to;
	s->dest_used_us[order % PUNCH_DESTS_MAX] =
	    s->table->core->world->now_us;
	s->dests_len += order == s->dests_len;
}

static bool
is_near_dest(const struct punch_socket *s, const struct addr *a)
{
	for (uint32_t i = 0; i < s->dests_len && i < PUNCH_DESTS_MAX; i++)
		if (addr_same_prefix(&s->dests[i], a))
			return true;
	return false;
}

/* ---- samples ---- */

void
punch_socket_add_sample(
    struct punch_socket *s, const struct addr *us, const struct addr *by)
{
	struct nat_sample sample = {.saw = *us,
	    .by = *by,
	    .order = punch_socket_order(s, by),
	    .at_us = s->table->core->world->now_us};

	/* A node on the internet cannot see us at a private address. */
	if (!addr_usable(us) ||
	    (addr_scope(us) != ADDR_PUBLIC && addr_scope(by) == ADDR_PUBLIC))
		return;
	nat_classifier_add(&s->classifier, &sample);
}

static void
on_ping_reply(void *owner, const struct dht_answer *a)
{
	struct punch_socket *s = owner;

	s->pending--;
	if (s->closing)
		return;
	if (a->err == 0)
		punch_socket_add_sample(s, &a->reply->to, &a->from);
	if (s->pending == 0 && a->err != ERR_CLOSED) {
		if (s->classifier.len < NAT_SAMPLES_WANTED &&
		    s->passes < PASSES)
			punch_socket_sample(
			    s, NAT_SAMPLES_WANTED - s->classifier.len);
		if (s->pending == 0)
			nat_classifier_finish(&s->classifier);
	}
	if (s->on_sample != NULL)
		s->on_sample(s->owner);
}

static bool
send_ping(struct punch_socket *s, const struct addr *to)
{
	struct dht_call c = {.to = *to,
	    .internal = true,
	    .command = RPC_PING,
	    .sends = 1,
	    .timeout_ms = PING_MS};
	struct dht_done done = {.call = on_ping_reply, .owner = s};

	if (dht_call_from(s->table->dht, s->entry.sock, &c, done, NULL) != 0)
		return false;
	punch_socket_note_sent(s, to);
	s->pending++;
	return true;
}

/* Which nodes may be pinged: those in networks not used before, or all that are
 * not destinations yet. */
enum node_choice { NODE_OTHER_PREFIX, NODE_UNUSED };

static bool
is_suitable(
    const struct punch_socket *s, enum node_choice choice, const struct addr *a)
{
	return choice == NODE_OTHER_PREFIX ? !is_near_dest(s, a)
					   : find_dest(s, a) == s->dests_len;
}

/* Pings up to `wanted` nodes of the table, most recently seen first, without
 * the first `skip`. Returns how many were pinged. */
static uint32_t
ping_nodes(struct punch_socket *s, enum node_choice choice, uint32_t wanted,
    uint32_t skip)
{
	struct dht *d = s->table->dht;
	uint32_t cursor = 0, asked = 0;
	struct dht_node n;

	for (uint32_t i = 0; asked < wanted && i < NODES_EXAMINED_MAX &&
			     dht_next_node(d, &cursor, &n);
	     i++)
		if (i >= skip && is_suitable(s, choice, &n.addr))
			asked += send_ping(s, &n.addr);
	return asked;
}

void
punch_socket_sample(struct punch_socket *s, uint32_t wanted)
{
	struct dht_status st;
	uint32_t skip, asked = 0;

	dht_status(s->table->dht, &st);
	skip = st.nodes >= TABLE_SMALL ? NEWEST_SKIPPED : 0;
	s->passes++;
	asked = ping_nodes(s, NODE_OTHER_PREFIX, wanted, skip);
	asked += ping_nodes(s, NODE_UNUSED, wanted - asked, skip);
	if (asked == 0 && s->pending == 0)
		nat_classifier_finish(&s->classifier);
}

/* Pings the node of the oldest sample again. */
static void
ping_oldest(struct punch_socket *s)
{
	const struct nat_sample *oldest = s->classifier.samples;

	for (uint8_t i = 1; i < s->classifier.len; i++)
		if (s->classifier.samples[i].at_us < oldest->at_us)
			oldest = &s->classifier.samples[i];
	if (s->classifier.len > 0)
		send_ping(s, &oldest->by);
}

static void
on_renew(struct timer *t)
{
	struct punch_socket *s =
	    container_of(t, struct punch_socket, renew_timer);
	uint64_t now_us = s->table->core->world->now_us;

	/* Postpones the renewal only once, so that a series of punches cannot
	 * let the mapping expire. */
	if (s->table->quiet_until_us > now_us && !s->renewal_postponed) {
		s->renewal_postponed = true;
		timer_arm(s->table->core->timers, t, s->table->quiet_until_us);
		return;
	}
	s->renewal_postponed = false;
	nat_classifier_expire(
	    &s->classifier, now_us - SAMPLE_RENEWALS * renew_interval_us(s));
	if (ping_nodes(s, NODE_UNUSED, 1, 0) == 0)
		ping_oldest(s);
	timer_arm(s->table->core->timers, t, now_us + renew_interval_us(s));
}

void
punch_socket_start_renewal(struct punch_socket *s)
{
	const struct core *c = s->table->core;

	timer_arm(c->timers, &s->renew_timer,
	    c->world->now_us + renew_interval_us(s));
}

void
punch_socket_stop_renewal(struct punch_socket *s)
{
	timer_disarm(s->table->core->timers, &s->renew_timer);
}

void
punch_socket_refresh(struct punch_socket *s)
{
	if (nat_classifier_step(&s->classifier) != 0)
		ping_nodes(s, NODE_UNUSED, REFRESH, 0);
}
