/* SPDX-License-Identifier: ISC */
/*
 * schedule.h - when which probes leave, protocol 04 §10 and §17.4, §17.8.
 *
 * A list of shots, generated one after the other; knows no address, no socket
 * and no clock. Every probe of the reference's schedules is in ours, at the
 * same time after the start (spray excepted, which goes faster).
 */
#ifndef PUNCH_SCHEDULE_H
#define PUNCH_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "punch/gauge.h"

enum schedule_kind {
	SCHEDULE_NONE,   /* no way of punching fits */
	SCHEDULE_STEADY, /* both predictable */
	SCHEDULE_SPRAY,  /* the peer is random: at many ports of its host */
	SCHEDULE_FAN,    /* we are random: from many sockets */
};

enum {
	SCHEDULE_SOCKETS = 256, /* that a fan begins with */
	SCHEDULE_PROBES = 1750, /* of a spray or a fan */
	SCHEDULE_TTL_LOW = 5,   /* opens our own NAT, dies on the way */
};

enum shot_kind {
	SHOT_VERIFIED,   /* to every verified address, first socket */
	SHOT_UNVERIFIED, /* to every other, first socket */
	SHOT_PORT,       /* to the next port of the first verified host */
	SHOT_SOCKET,     /* from socket `sock` to the first verified address */
};

struct shot {
	uint32_t at_ms; /* after the start; never falls */
	enum shot_kind kind;
	bool low; /* low TTL */
	uint32_t sock;
};

struct schedule {
	enum schedule_kind kind;
	uint32_t sockets;
	uint32_t at, early, grown; /* shots given out so far, of each row */
};

/* What fits the two verdicts; OPEN counts as CONSISTENT. */
enum schedule_kind schedule_for(enum verdict own, enum verdict peer);

/* sockets: how many there are to be in the end; 1 unless it is a fan. */
void schedule_init(
    struct schedule *s, enum schedule_kind kind, uint32_t sockets);

/* The next shot, or false: only the end is left to wait for. */
bool schedule_next(struct schedule *s, struct shot *out);

/* When nothing more is to be hoped for. */
uint32_t schedule_end_ms(const struct schedule *s);

#endif
