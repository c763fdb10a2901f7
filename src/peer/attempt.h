/* SPDX-License-Identifier: ISC */
/*
 * attempt.h - what was tried to reach a key, step by step.
 *
 * A ring of the last attempts, for people who ask why a connection failed or
 * took so long. Who makes an attempt notes by number; what has been pushed out
 * meanwhile takes no notes. Uses: base, crypto.
 */
#ifndef PEER_ATTEMPT_H
#define PEER_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "crypto/keys.h"
#include "peer/conn.h"

enum attempt_kind {
	ATTEMPT_DIAL,      /* began */
	ATTEMPT_CACHED,    /* relays remembered from before: number */
	ATTEMPT_FOUND,     /* a node that knows the peer */
	ATTEMPT_HANDSHAKE, /* sent through addr */
	ATTEMPT_ANSWER,    /* handshake answered through addr */
	ATTEMPT_NO_ANSWER, /* addr did not answer, or not well: err */
	ATTEMPT_LOOKUP,    /* the walk ended: err */
	ATTEMPT_TRY,       /* a path is tried: path, addr */
	ATTEMPT_PATH_LOST, /* a path failed: path, addr, err */
	ATTEMPT_PUNCH,     /* a round of hole punching through addr: number */
	ATTEMPT_VERDICT,   /* the peer's, told through addr: number */
	ATTEMPT_PROBES,    /* probes are sent: number says which kind */
	ATTEMPT_OPEN,      /* path, addr */
	ATTEMPT_FAILED,    /* err */
};

struct attempt_step {
	enum attempt_kind kind;
	uint64_t at_us; /* after the start; filled in here */
	enum conn_path_kind path;
	struct addr addr;
	int err;
	uint32_t number;
};

/* The first are the ones that explain; what comes later is counted. */
enum { ATTEMPT_STEPS_MAX = 64 };

struct attempt {
	uint32_t number; /* of the attempt; 0: none is here */
	uint32_t conn;
	uint8_t key[KEY_LEN];
	uint64_t began_us;
	bool under_way;
	int err;
	uint32_t steps_len, steps_lost;
	struct attempt_step steps[ATTEMPT_STEPS_MAX];
};

struct attempts {
	struct attempt **ring; /* each made when its place is first used */
	uint32_t max, count;   /* count: of all attempts so far */
};

/* 0 or ERR_MEMORY; keeps the last max. */
int attempts_init(struct attempts *as, uint32_t max);

/* Another number: the oldest go. Stays as it is if memory is short. */
void attempts_set_max(struct attempts *as, uint32_t max);
void attempts_fini(struct attempts *as);

/* Begins one, with its first step. Its number; 0 if memory is short. */
uint32_t attempts_begin(
    struct attempts *as, const uint8_t *key, uint32_t conn, uint64_t now_us);

/* Notes a step; ATTEMPT_OPEN and ATTEMPT_FAILED are the last. */
void attempts_note(struct attempts *as, uint32_t number,
    const struct attempt_step *step, uint64_t now_us);

/* The i-th for the key (NULL: any), latest first; NULL at the end. */
const struct attempt *attempts_nth(
    const struct attempts *as, const uint8_t *key, uint32_t i);

#endif
