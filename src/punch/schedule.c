/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "punch/schedule.h"

enum {
	STEADY_END_MS = 10000,
	SPRAY_GAP_MS = 8, /* 125 a second: half of all hits within 1.4 s */
	FAN_PAUSE_MS = 100,
	FAN_GAP_MS = 20,
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

/*
 * Each socket but the first opens its hole at once, then they take turns, the
 * first time with low TTL.
 */
static bool
fan_row(const struct schedule *s, struct shot *out)
{
	uint32_t others = s->sockets - 1, turn;

	*out = (struct shot){.kind = SHOT_SOCKET, .low = true};
	if (s->at < others) {
		out->sock = s->at + 1;
		return true;
	}
	turn = s->at - others;
	out->at_ms = FAN_PAUSE_MS + FAN_GAP_MS * turn;
	out->sock = turn % s->sockets;
	out->low = turn < s->sockets;
	return turn < SCHEDULE_PROBES;
}

/*
 * Beside that the first socket knocks at full TTL from the start: a peer whose
 * NAT lets our host in, from whatever port, is reached at once. Where it does
 * not, one socket of many has spoiled its chance.
 */
static bool
fan_next(struct schedule *s, struct shot *out)
{
	bool more = fan_row(s, out);

	if (s->early < FAN_EARLY &&
	    (!more || dense_ms[s->early] <= out->at_ms)) {
		*out = (struct shot){
		    .at_ms = dense_ms[s->early++], .kind = SHOT_SOCKET};
		return true;
	}
	s->at += more;
	return more;
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
		/* The peer's fan may need as long as this, spec 04 §10. */
		return FAN_GAP_MS * SCHEDULE_PROBES;
	case SCHEDULE_FAN:
		return FAN_PAUSE_MS + FAN_GAP_MS * SCHEDULE_PROBES;
	case SCHEDULE_NONE:
		break;
	}
	return 0;
}
