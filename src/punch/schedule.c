/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "punch/schedule.h"

enum {
	STEADY_END_MS = 10000,
	SPRAY_GAP_MS = 5, /* 200 a second: half of all hits within 0.9 s */
	FAN_PAUSE_MS = 100,
	FAN_GAP_MS = 20,
	FAN_GROW_MS = 8,
};

/* A lost probe costs tens of milliseconds at first, a second at the end. */
static const uint16_t dense_ms[] = {0, 25, 50, 100, 200, 400, 800, 1000, 2000,
    3000, 4000, 5000, 6000, 7000, 8000, 9000};

/* Nobody is sprayed who may have no part in this. */
static const uint16_t sparse_ms[] = {3000, 7000};

#define LEN(a) ((uint32_t)(sizeof(a) / sizeof *(a)))

/* The dense ones of the first second, for the first socket of a fan. */
enum { FAN_EARLY = 7 };

enum schedule_kind
schedule_for(enum verdict own, enum verdict peer)
{
	bool own_random = own == VERDICT_RANDOM,
	     peer_random = peer == VERDICT_RANDOM;

	if (own == VERDICT_UNKNOWN || peer == VERDICT_UNKNOWN ||
	    (own_random && peer_random))
		return SCHEDULE_NONE;
	return own_random    ? SCHEDULE_FAN
	       : peer_random ? SCHEDULE_SPRAY
			     : SCHEDULE_STEADY;
}

void
schedule_init(struct schedule *s, enum schedule_kind kind, uint32_t sockets)
{
	*s = (struct schedule){.kind = kind, .sockets = sockets};
}

static bool
steady_next(struct schedule *s, struct shot *out)
{
	bool dense = s->at < LEN(dense_ms), sparse = s->early < LEN(sparse_ms);

	if (!dense && !sparse)
		return false;
	if (dense && (!sparse || dense_ms[s->at] <= sparse_ms[s->early]))
		*out = (struct shot){
		    .at_ms = dense_ms[s->at++], .kind = SHOT_VERIFIED};
	else
		*out = (struct shot){
		    .at_ms = sparse_ms[s->early++], .kind = SHOT_UNVERIFIED};
	return true;
}

static bool
spray_next(struct schedule *s, struct shot *out)
{
	if (s->at == SCHEDULE_PROBES)
		return false;
	*out =
	    (struct shot){.at_ms = SPRAY_GAP_MS * s->at++, .kind = SHOT_PORT};
	return true;
}

/* How many sockets a fan of so many begins with. */
static uint32_t
fan_first(uint32_t sockets)
{
	return sockets < SCHEDULE_SOCKETS ? sockets : SCHEDULE_SOCKETS;
}

/*
 * Each of these but the first opens its hole at once, then all take turns,
 * these the first time with low TTL.
 */
static bool
fan_row(const struct schedule *s, struct shot *out)
{
	uint32_t first = fan_first(s->sockets), turn;

	*out = (struct shot){.kind = SHOT_SOCKET, .low = true};
	if (s->at < first - 1) {
		out->sock = s->at + 1;
		return true;
	}
	turn = s->at - (first - 1);
	out->at_ms = FAN_PAUSE_MS + FAN_GAP_MS * turn;
	out->sock = turn % s->sockets;
	out->low = turn < first;
	return turn < SCHEDULE_PROBES;
}

/*
 * The further ones come one by one, at full TTL: the peer sprays by then, and
 * its NAT is open wherever it has sent to. So each may hit at once what the
 * peer has tried in vain, and is one more to be hit.
 */
static bool
fan_grows(const struct schedule *s, struct shot *out)
{
	uint32_t sock = fan_first(s->sockets) + s->grown;

	*out = (struct shot){.at_ms = FAN_PAUSE_MS + FAN_GROW_MS * s->grown,
	    .kind = SHOT_SOCKET,
	    .sock = sock};
	return sock < s->sockets;
}

/*
 * Beside that the first socket knocks at full TTL from the start: a peer whose
 * NAT lets our host in, from whatever port, is reached at once. Where it does
 * not, one socket of many has spoiled its chance.
 */
static bool
fan_knocks(const struct schedule *s, struct shot *out)
{
	if (s->early == FAN_EARLY)
		return false;
	*out = (struct shot){.at_ms = dense_ms[s->early], .kind = SHOT_SOCKET};
	return true;
}

/* The earliest of the three rows. */
static bool
fan_next(struct schedule *s, struct shot *out)
{
	struct shot next[3];
	uint32_t *row[] = {&s->early, &s->grown, &s->at};
	bool has[] = {fan_knocks(s, &next[0]), fan_grows(s, &next[1]),
	    fan_row(s, &next[2])};
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
schedule_next(struct schedule *s, struct shot *out)
{
	switch (s->kind) {
	case SCHEDULE_STEADY:
		return steady_next(s, out);
	case SCHEDULE_SPRAY:
		return spray_next(s, out);
	case SCHEDULE_FAN:
		return fan_next(s, out);
	case SCHEDULE_NONE:
		break;
	}
	return false;
}

uint32_t
schedule_end_ms(const struct schedule *s)
{
	switch (s->kind) {
	case SCHEDULE_STEADY:
		return STEADY_END_MS;
	case SCHEDULE_SPRAY:
		/* The peer's fan may need as long as this, protocol 04 §10. */
		return FAN_GAP_MS * SCHEDULE_PROBES;
	case SCHEDULE_FAN:
		return FAN_PAUSE_MS + FAN_GAP_MS * SCHEDULE_PROBES;
	case SCHEDULE_NONE:
		break;
	}
	return 0;
}
