/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "punch/punch_context.h"

enum {
	/* With fewer birthday sockets, 1750 probes to random ports succeed in
	 * less than one of three attempts. */
	SOCKETS_MIN = 16,
	/* The responder waits a second longer than the initiator. */
	GRACE_MS = 1000,
	/* Predicted ports are right at once or not at all. The reference tries
	 * them one second after it has received them, and again one second
	 * later: one of the two arrives. */
	PREDICTED_MS = 1200,
	PREDICTED_REFERENCE_MS = 2600,
	OPEN_PROBES = 7, /* ahead of the schedule */
};

/* The same times as the dense probes of the schedule. */
static const uint16_t open_probe_ms[OPEN_PROBES] = {
    0, 25, 50, 100, 200, 400, 800};

static void
send_one(struct puncher *p, int sock, const struct addr *to, bool low_ttl)
{
	p->has_probed = true;
	if (sock == p->socket->entry.sock)
		punch_socket_note_sent(p->socket, to);
	p->probing.probes +=
	    punch_probe(p->punch, sock, to, low_ttl ? SCHEDULE_TTL_LOW : 0);
}

void
probing_send(struct puncher *p, int sock, const struct addr *to, bool low_ttl)
{
	if (dht_may_send(p->punch->dht, to) &&
	    punch_may_probe(p->punch, to, &p->peer.origin))
		send_one(p, sock, to, low_ttl);
}

void
probing_send_to_host(struct puncher *p, int sock, const struct addr *to)
{
	if (dht_may_send(p->punch->dht, to) &&
	    punch_may_guess(p->punch, to, &p->peer.origin))
		send_one(p, sock, to, false);
}

/* ---- the peer's addresses ---- */

static bool
is_verified(const struct puncher *p, const struct addr *a)
{
	return addr_same_host(a, &p->remote.verified);
}

static const struct addr *
find_verified(const struct puncher *p)
{
	for (uint8_t i = 0; i < p->remote.addrs_len; i++)
		if (is_verified(p, &p->remote.addrs[i]))
			return &p->remote.addrs[i];
	return NULL;
}

/* Sends a probe to each address that is, or is not, verified. */
static void
send_to_all(struct puncher *p, bool verified, bool low_ttl)
{
	const struct punch_remote *r = &p->remote;

	for (uint8_t i = 0; i < r->addrs_len; i++)
		if (is_verified(p, &r->addrs[i]) == verified)
			probing_send(
			    p, p->socket->entry.sock, &r->addrs[i], low_ttl);
}

/* ---- birthday sockets ---- */

/* Closes the birthday sockets, or those that no stream has a path over. */
static void
close_birthday_sockets(struct puncher *p, bool all)
{
	struct probing *b = &p->probing;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < b->sockets_len; i++) {
		struct socket_entry *e = b->sockets[i];

		if (e->puncher != p)
			continue; /* detached: a stream owns it */
		if (e->held && !all) {
			b->sockets[kept++] = e;
			continue;
		}
		socket_table_close(&p->punch->sockets, e);
		free(e);
	}
	b->sockets_len = kept;
}

/* Opens one more socket. Returns false if the world has none left. */
static bool
add_birthday_socket(struct puncher *p)
{
	struct socket_entry *e = calloc(1, sizeof *e);
	uint16_t port;

	if (e == NULL || socket_table_open(&p->punch->sockets, e, &port) != 0) {
		free(e);
		return false;
	}
	e->puncher = p;
	p->probing.sockets[p->probing.sockets_len++] = e;
	return true;
}

/*
 * Returns the most sockets to open. A block of ports that a carrier has
 * assigned to us must not be used up, as others in our network share it. The
 * block is small if the sampled ports lie close together, unless they are
 * sequential.
 */
static uint32_t
get_sockets_max(const struct puncher *p)
{
	const struct nat_classifier *n = &p->socket->classifier;
	uint32_t max = p->punch->core->limits->punch_sockets;
	struct addr saw[PUNCH_SAMPLES_MAX];

	for (uint8_t i = 0; i < n->len; i++)
		saw[i] = n->samples[i].saw;
	if (max > SCHEDULE_SOCKETS && nat_classifier_step(n) == 0 &&
	    ports_are_near(saw, n->len))
		return SCHEDULE_SOCKETS;
	return max;
}

/* Opens the sockets of the start, as far as the world has them. */
static int
open_birthday_sockets(struct puncher *p)
{
	struct probing *b = &p->probing;
	uint32_t max = get_sockets_max(p);
	struct socket_entry **sockets;

	if (max < b->sockets_len + 1)
		max = b->sockets_len + 1;
	sockets = realloc(b->sockets, (max - 1) * sizeof *sockets);
	if (sockets == NULL)
		return ERR_MEMORY;
	b->sockets = sockets;
	b->sockets_max = max;
	while (b->sockets_len + 1 < b->sockets_max &&
	       b->sockets_len + 1 < SCHEDULE_SOCKETS && add_birthday_socket(p))
		continue;
	return b->sockets_len + 1 >= SOCKETS_MIN ? 0 : ERR_LIMIT;
}

/* ---- the schedule ---- */

enum schedule_kind
probing_schedule_kind(const struct puncher *p)
{
	struct punch_local local;

	puncher_get_local(p, &local);
	return probe_schedule_choose(local.nat_type, p->remote.nat_type);
}

static void
send_to_next_port(struct puncher *p)
{
	const struct addr *host = find_verified(p);
	struct addr to;

	if (host == NULL)
		return;
	to = *host;
	to.port = ports_next(&p->probing.ports);
	probing_send_to_host(p, p->socket->entry.sock, &to);
}

static void
send_from_socket(struct puncher *p)
{
	const struct probing *b = &p->probing;
	const struct addr *to = find_verified(p);
	uint32_t i = b->next.sock;

	if (to == NULL ||
	    (i == b->sockets_len + 1 && !add_birthday_socket(p)) ||
	    i > b->sockets_len)
		return;
	probing_send(p,
	    i == 0 ? p->socket->entry.sock : b->sockets[i - 1]->sock, to,
	    b->next.low_ttl);
}

static void
send_scheduled(struct puncher *p)
{
	switch (p->probing.next.kind) {
	case PROBE_TO_VERIFIED:
		send_to_all(p, true, p->probing.next.low_ttl);
		break;
	case PROBE_TO_UNVERIFIED:
		send_to_all(p, false, p->probing.next.low_ttl);
		break;
	case PROBE_TO_NEXT_PORT:
		send_to_next_port(p);
		break;
	case PROBE_FROM_SOCKET:
		send_from_socket(p);
		break;
	}
}

static void
on_probe_timer(struct timer *t)
{
	struct puncher *p = container_of(t, struct puncher, probing.timer);
	struct probing *b = &p->probing;
	uint64_t now_us = p->punch->core->world->now_us, due_us;

	for (;;) {
		due_us = b->start_us + b->next.at_ms * UINT64_C(1000);
		if (due_us > now_us)
			break;
		send_scheduled(p);
		if (!probe_schedule_next(&b->schedule, &b->next)) {
			punch_admission_release(&p->punch->admission, &b->slot);
			return;
		}
	}
	timer_arm(p->punch->core->timers, t, due_us);
}

/* ---- start and stop ---- */

int
probing_acquire_slot(struct puncher *p, const struct addr *peer)
{
	struct punch_admission *a = &p->punch->admission;

	switch (probing_schedule_kind(p)) {
	case SCHEDULE_BIRTHDAY_SOCKETS:
		return punch_admission_acquire(
		    a, &p->probing.slot, SLOT_SOCKETS, peer);
	case SCHEDULE_BIRTHDAY_PROBES:
		return punch_admission_acquire(
		    a, &p->probing.slot, SLOT_PROBES, peer);
	default:
		return 0;
	}
}

static int
prepare_schedule(struct puncher *p, enum schedule_kind kind)
{
	int err = 0;

	if (kind == SCHEDULE_NONE || p->remote.addrs_len == 0)
		return ERR_PUNCH;
	if (kind != SCHEDULE_STEADY && find_verified(p) == NULL)
		return ERR_PUNCH;
	if (kind == SCHEDULE_BIRTHDAY_SOCKETS)
		err = open_birthday_sockets(p);
	if (kind == SCHEDULE_BIRTHDAY_PROBES)
		ports_init(&p->probing.ports, p->punch->core->world,
		    p->remote.addrs, p->remote.addrs_len);
	return err;
}

static uint64_t
get_duration_ms(const struct puncher *p)
{
	uint32_t ms = probe_schedule_end_ms(&p->probing.schedule);

	if (!p->initiator)
		return ms + GRACE_MS;
	if (!puncher_is_predicting(p))
		return ms;
	return p->peer.native ? PREDICTED_MS : PREDICTED_REFERENCE_MS;
}

int
probing_start(struct puncher *p, uint64_t delay_us)
{
	struct punch_event e = {.kind = PUNCH_PROBING};
	struct timers *ts = p->punch->core->timers;
	struct probing *b = &p->probing;
	enum schedule_kind kind = probing_schedule_kind(p);
	struct punch_local local;
	int err;

	close_birthday_sockets(p, false);
	err = prepare_schedule(p, kind);
	if (err != 0)
		return err;
	puncher_get_local(p, &local);
	/* The prediction is right only if these mappings are the next ones. */
	if (local.predicted && delay_us > 0)
		send_to_all(p, true, true);
	puncher_set_state(p, PUNCHER_PROBING);
	b->start_us = p->punch->core->world->now_us + delay_us;
	probe_schedule_init(&b->schedule, kind,
	    b->sockets_len + 1 < SCHEDULE_SOCKETS ? b->sockets_len + 1
						  : b->sockets_max);
	probe_schedule_next(&b->schedule, &b->next);
	b->timer.fire = on_probe_timer;
	timer_arm(ts, &b->timer, b->start_us);
	timer_arm(ts, &p->deadline, b->start_us + get_duration_ms(p) * 1000);
	e.number = kind;
	puncher_emit(p, &e);
	return 0;
}

void
probing_stop(struct puncher *p)
{
	if (p->state == PUNCHER_PROBING)
		puncher_set_state(p, PUNCHER_ROUNDS);
	timer_disarm(p->punch->core->timers, &p->probing.timer);
	timer_disarm(p->punch->core->timers, &p->probing.open_timer);
	punch_admission_release(&p->punch->admission, &p->probing.slot);
}

void
probing_fini(struct puncher *p)
{
	probing_stop(p);
	close_birthday_sockets(p, true);
	free(p->probing.sockets);
	p->probing.sockets = NULL;
}

/* ---- open probes ---- */

static void
on_open_timer(struct timer *t)
{
	struct puncher *p = container_of(t, struct puncher, probing.open_timer);
	struct probing *b = &p->probing;
	uint16_t last_ms = open_probe_ms[b->open_sent];

	probing_send(p, p->socket->entry.sock, &b->open_to, b->open_low_ttl);
	if (++b->open_sent < OPEN_PROBES && !b->open_low_ttl)
		timer_arm(p->punch->core->timers, t,
		    p->punch->core->world->now_us +
			(uint64_t)(open_probe_ms[b->open_sent] - last_ms) *
			    1000);
}

void
probing_open(struct puncher *p, const struct addr *to, bool low_ttl)
{
	p->probing.open_to = *to;
	p->probing.open_low_ttl = low_ttl;
	p->probing.open_sent = 0;
	p->probing.open_timer.fire = on_open_timer;
	on_open_timer(&p->probing.open_timer);
}
