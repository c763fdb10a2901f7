/* SPDX-License-Identifier: ISC */
/*
 * probe_schedule.h - when which probe is sent, protocol 04 §10, §17.4 and
 * §17.8.
 *
 * Generates a list of probes one by one; knows no address, no socket and no
 * clock. It contains every probe of the reference's schedules, at the same time
 * after the start (except birthday probes, which are sent faster).
 */
#ifndef PUNCH_PROBE_SCHEDULE_H
#define PUNCH_PROBE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "punch/nat_classifier.h"

enum schedule_kind {
	SCHEDULE_NONE,             /* the NAT types cannot be punched */
	SCHEDULE_STEADY,           /* both addresses are known */
	SCHEDULE_BIRTHDAY_PROBES,  /* the peer is random: try many ports */
	SCHEDULE_BIRTHDAY_SOCKETS, /* we are random: use many sockets */
};

enum {
	SCHEDULE_SOCKETS = 256, /* birthday sockets at the start */
	SCHEDULE_PROBES = 1750, /* of a birthday strategy */
	SCHEDULE_TTL_LOW = 5,   /* opens our own NAT, expires on the way */
};

enum probe_kind {
	PROBE_TO_VERIFIED,   /* to every verified address, first socket */
	PROBE_TO_UNVERIFIED, /* to every other, first socket */
	PROBE_TO_NEXT_PORT,  /* to the next port of the first verified host */
	PROBE_FROM_SOCKET,   /* from `sock` to the first verified address */
};

struct scheduled_probe {
	uint32_t at_ms; /* after the start; never decreases */
	enum probe_kind kind;
	bool low_ttl;
	uint32_t sock; /* number of the socket; 0 is the punch socket */
};

struct probe_schedule {
	enum schedule_kind kind;
	uint32_t sockets;
	/* Probes returned so far: the main row, open probes, added sockets. */
	uint32_t at, early, grown;
};

/* Returns the schedule for two NAT types; OPEN counts as CONSISTENT. */
enum schedule_kind probe_schedule_choose(enum nat_type own, enum nat_type peer);

/* Starts a schedule. sockets: how many there will be at the end; 1 without
 * birthday sockets. */
void probe_schedule_init(
    struct probe_schedule *s, enum schedule_kind kind, uint32_t sockets);

/* Returns the next probe, or false if only the end is left to wait for. */
bool probe_schedule_next(struct probe_schedule *s, struct scheduled_probe *out);

/* Returns when the attempt expires, in milliseconds after the start. */
uint32_t probe_schedule_end_ms(const struct probe_schedule *s);

#endif
