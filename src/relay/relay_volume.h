/* SPDX-License-Identifier: ISC */
/*
 * relay_volume.h - how many bytes a relay may still receive and send.
 *
 * A bucket refills evenly by the volume of a month (30 days) and holds the
 * refill of three days. A new one is empty, so that the first month has no more
 * than its volume. Each prefix (/24, IPv6: /48) has 1/32 of what is in the
 * bucket for a day, and when this is spent 1/32 of the refill: 20 greedy
 * prefixes leave half of the bucket. A payer that is NULL has no such share.
 *
 * What is spent has been recorded before: the owner stores
 * relay_volume_save(), in which a piece is missing that may be spent until the
 * next time. A crash thus loses what is left of the piece and never returns
 * spent volume. Knows no clock: the owner passes the time. Uses: base.
 */
#ifndef RELAY_RELAY_VOLUME_H
#define RELAY_RELAY_VOLUME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/core.h"

/* A month of 1000 TB: sums of 64 bits do not overflow. */
#define RELAY_VOLUME_MAX UINT64_C(1000000000000000)

struct relay_payer;

/* Bytes that flow in evenly. */
struct relay_refill {
	int64_t left;      /* below 0: charged before it was there */
	uint64_t fraction; /* of a byte, in parts of a month */
	uint64_t at_ms;
};

struct relay_volume {
	const struct core *core;
	uint64_t month; /* bytes; 0: no limit */
	struct relay_refill bucket;
	int64_t granted;            /* shares of today that are not spent */
	int64_t reserve;            /* what may be spent until the next save */
	int64_t piece;              /* the reserve after the last save */
	struct relay_payer *payers; /* hash table */
	TAILQ_HEAD(, relay_payer) by_day;
	TAILQ_HEAD(, relay_payer) idle; /* the first is evicted first */
};

/* What is stored. */
struct relay_volume_saved {
	uint64_t month, left;
	uint64_t unix_ms;
};

void relay_volume_init(struct relay_volume *v, const struct core *core);
void relay_volume_fini(struct relay_volume *v);

/* Sets the bytes of a month, at most RELAY_VOLUME_MAX; 0: no limit. What is in
 * the bucket stays, up to three days' refill of the new volume. */
void relay_volume_set(struct relay_volume *v, uint64_t month, uint64_t now_us);

/* Fills the bucket with what a former run has stored and what has been refilled
 * since. A wall clock that was set back refills nothing. */
void relay_volume_restore(struct relay_volume *v,
    const struct relay_volume_saved *saved, uint64_t unix_ms, uint64_t now_us);

/* Returns true if less than half of the reserve is left: the owner stores
 * relay_volume_save() then and calls relay_volume_stored() on success. */
bool relay_volume_is_due(struct relay_volume *v, uint64_t now_us);

/* Returns what to store now; `last`: nothing will be spent after it. */
struct relay_volume_saved relay_volume_save(
    struct relay_volume *v, uint64_t unix_ms, uint64_t now_us, bool last);

void relay_volume_stored(
    struct relay_volume *v, const struct relay_volume_saved *saved);

/*
 * Returns the payer of an address, which relay_volume_leave() gives back. If
 * the limit relay-prefixes is reached, a new one evicts the payer that has been
 * without holders longest. Returns NULL if there is none, or memory is short.
 */
struct relay_payer *relay_volume_join(
    struct relay_volume *v, const struct addr *a, uint64_t now_us);
void relay_volume_leave(struct relay_volume *v, struct relay_payer *p);

/* One packet: bytes received from one payer and sent to another. */
struct relay_transfer {
	struct relay_payer *from, *to;
	uint32_t received, sent;
};

/* Spends a packet and returns true, or returns false if there is not enough
 * volume, or a share is spent. */
bool relay_volume_spend(
    struct relay_volume *v, const struct relay_transfer *t, uint64_t now_us);

/* Spends bytes that have been sent or received already. */
void relay_volume_charge(struct relay_volume *v, struct relay_payer *p,
    uint64_t bytes, uint64_t now_us);

/*
 * Returns the seconds until this payer has bytes to spend; 0: now. Refusals
 * name this time.
 */
uint32_t relay_volume_wait_s(
    struct relay_volume *v, struct relay_payer *p, uint64_t now_us);

struct relay_volume_status {
	uint64_t month;  /* bytes; 0: no limit */
	uint64_t left;   /* bytes in the bucket */
	uint64_t holds;  /* bytes in a full one */
	uint64_t refill; /* bytes per hour */
};

void relay_volume_status(const struct relay_volume *v, uint64_t now_us,
    struct relay_volume_status *out);

#endif
