/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "punch/probe_schedule.h"

enum {
	STEADY_END_MS = 10000,
	BIRTHDAY_PROBE_GAP_MS =
	    5, /* 200 per second: half of all successes come within 0.9 s */
	BIRTHDAY_PAUSE_MS = 100,
	BIRTHDAY_GAP_MS = 20,
	BIRTHDAY_GROW_MS = 8,
};

/* A lost probe costs tens of milliseconds at first, one second at the end. */
static const uint16_t dense_ms[] = {0, 25, 50, 100, 200, 400, 800, 1000, 2000,
    3000, 4000, 5000, 6000, 7000, 8000, 9000};

/* Unverified addresses get few probes: their hosts may be unrelated. */
static const uint16_t sparse_ms[] = {3000, 7000};

#define LEN(a) ((uint32_t)(sizeof(a) / sizeof *(a)))

/* Of the dense probes, those of the first second, for the first birthday
 * socket. */
enum { BIRTHDAY_EARLY = 7 };

enum schedule_kind
probe_schedule_choose(enum nat_type own, enum nat_type peer)
{
	bool own_random = own == NAT_TYPE_RANDOM,
	     peer_random = peer == NAT_TYPE_RANDOM;

	if (own == NAT_TYPE_UNKNOWN || peer == NAT_TYPE_UNKNOWN ||
	    (own_random && peer_random))
		return SCHEDULE_NONE;
	return own_random    ? SCHEDULE_BIRTHDAY_SOCKETS
	       : peer_random ? SCHEDULE_BIRTHDAY_PROBES
			     : SCHEDULE_STEADY;
}

void
probe_schedule_init(
    struct probe_schedule *s, enum schedule_kind kind, uint32_t sockets)
{
	*s = (struct probe_schedule){.kind = kind, .sockets = sockets};
}

static bool
next_steady(struct probe_schedule *s, struct scheduled_probe *out)
{
	bool dense = s->at < LEN(dense_ms), sparse = s->early < LEN(sparse_ms);

	if (!dense && !sparse)
		return false;
	if (dense && (!sparse || dense_ms[s->at] <= sparse_ms[s->early]))
		*out = (struct scheduled_probe){
		    .at_ms = dense_ms[s->at++], .kind = PROBE_TO_VERIFIED};
	else
		*out = (struct scheduled_probe){.at_ms = sparse_ms[s->early++],
		    .kind = PROBE_TO_UNVERIFIED};
	return true;
}

static bool
next_birthday_probe(struct probe_schedule *s, struct scheduled_probe *out)
{
	if (s->at == SCHEDULE_PROBES)
		return false;
	*out =
	    (struct scheduled_probe){.at_ms = BIRTHDAY_PROBE_GAP_MS * s->at++,
		.kind = PROBE_TO_NEXT_PORT};
	return true;
}

/* Returns how many of the sockets are open at the start. */
static uint32_t
first_sockets(uint32_t sockets)
{
	return sockets < SCHEDULE_SOCKETS ? sockets : SCHEDULE_SOCKETS;
}

/*
 * Main row: each socket of the start but the first opens its mapping at once,
 * then all sockets send in turn, those of the start the first time with low
 * TTL.
 */
static bool
next_main_row(const struct probe_schedule *s, struct scheduled_probe *out)
{
	uint32_t first = first_sockets(s->sockets), turn;

	*out = (struct scheduled_probe){
	    .kind = PROBE_FROM_SOCKET, .low_ttl = true};
	if (s->at < first - 1) {
		out->sock = s->at + 1;
		return true;
	}
	turn = s->at - (first - 1);
	out->at_ms = BIRTHDAY_PAUSE_MS + BIRTHDAY_GAP_MS * turn;
	out->sock = turn % s->sockets;
	out->low_ttl = turn < first;
	return turn < SCHEDULE_PROBES;
}

/*
 * Growth row: further sockets are added one by one, at full TTL. The peer sends
 * birthday probes by then and its NAT is open wherever it has sent to, so that
 * a new socket may hit a port which the peer has tried in vain, and is one more
 * to be hit.
 */
static bool
next_growth_row(const struct probe_schedule *s, struct scheduled_probe *out)
{
	uint32_t sock = first_sockets(s->sockets) + s->grown;

	*out = (struct scheduled_probe){
	    .at_ms = BIRTHDAY_PAUSE_MS + BIRTHDAY_GROW_MS * s->grown,
	    .kind = PROBE_FROM_SOCKET,
	    .sock = sock};
	return sock < s->sockets;
}

/*
 * Open row: the first socket sends at full TTL from the start, which reaches a
 * peer at once if its NAT admits our host from any port. Otherwise one of many
 * sockets has lost its chance.
 */
static bool
next_open_row(const struct probe_schedule *s, struct scheduled_probe *out)
{
	if (s->early == BIRTHDAY_EARLY)
		return false;
	*out = (struct scheduled_probe){
	    .at_ms = dense_ms[s->early], .kind = PROBE_FROM_SOCKET};
	return true;
}

/* Returns the earliest probe of the three rows. */
static bool
next_birthday_socket(struct probe_schedule *s, struct scheduled_probe *out)
{
	struct scheduled_probe next[3];
	uint32_t *row[] = {&s->early, &s->grown, &s->at};
	bool has[] = {next_open_row(s, &next[0]), next_growth_row(s, &next[1]),
	    next_main_row(s, &next[2])};
	int best = -1;

	for (int i = 0; i < 3; i++)
		if (has[i] && (best < 0 || next[i].at_ms < next[best].at_ms))
			best = i;
	if (best < 0)
		return false;
	*out = next[best];
	++*row[best];
	return true;
}

bool
probe_schedule_next(struct probe_schedule *s, struct scheduled_probe *out)
{
	switch (s->kind) {
	case SCHEDULE_STEADY:
		return next_steady(s, out);
	case SCHEDULE_BIRTHDAY_PROBES:
		return next_birthday_probe(s, out);
	case SCHEDULE_BIRTHDAY_SOCKETS:
		return next_birthday_socket(s, out);
	case SCHEDULE_NONE:
		break;
	}
	return false;
}

uint32_t
probe_schedule_end_ms(const struct probe_schedule *s)
{
	switch (s->kind) {
	case SCHEDULE_STEADY:
		return STEADY_END_MS;
	case SCHEDULE_BIRTHDAY_PROBES:
		/* The peer's birthday sockets may take as long as this,
		 * protocol 04 §10. */
		return BIRTHDAY_GAP_MS * SCHEDULE_PROBES;
	case SCHEDULE_BIRTHDAY_SOCKETS:
		return BIRTHDAY_PAUSE_MS + BIRTHDAY_GAP_MS * SCHEDULE_PROBES;
	case SCHEDULE_NONE:
		break;
	}
	return 0;
}
