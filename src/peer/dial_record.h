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

enum dial_step_kind {
	DIAL_STEP_BEGIN,      /* began */
	DIAL_STEP_CACHED,    /* relays remembered from before: number */
	DIAL_STEP_FOUND,     /* a node that knows the peer */
	DIAL_STEP_HANDSHAKE, /* sent through addr */
	DIAL_STEP_ANSWER,    /* handshake answered through addr */
	DIAL_STEP_NO_ANSWER, /* addr did not answer, or not well: err */
	DIAL_STEP_LOOKUP,    /* the walk ended: err */
	DIAL_STEP_TRY,       /* a path is tried: path, addr */
	DIAL_STEP_PATH_LOST, /* a path failed: path, addr, err */
	DIAL_STEP_PUNCH,     /* a round of hole punching through addr: number */
	DIAL_STEP_NAT_TYPE,   /* the peer's, told through addr: number */
	DIAL_STEP_PROBES,    /* probes are sent: number says which kind */
	DIAL_STEP_OPEN,      /* path, addr */
	DIAL_STEP_FAILED,    /* err */
};

struct dial_step {
	enum dial_step_kind kind;
	uint64_t at_us; /* after the start; filled in here */
	enum conn_path_kind path;
	struct addr addr;
	int err;
	uint32_t number;
};

/* The first are the ones that explain; what comes later is counted. */
enum { DIAL_STEPS_MAX = 64 };

struct dial_record {
	uint32_t number; /* of the attempt; 0: none is here */
	uint32_t conn;
	uint8_t key[KEY_LEN];
	uint64_t began_us;
	bool under_way;
	int err;
	uint32_t steps_len, steps_lost;
	struct dial_step steps[DIAL_STEPS_MAX];
};

struct dial_records {
	struct dial_record **ring; /* each made when its place is first used */
	uint32_t max, count;   /* count: of all attempts so far */
};

/* 0 or ERR_MEMORY; keeps the last max. */
int dial_records_init(struct dial_records *as, uint32_t max);

/* Another number: the oldest go. Stays as it is if memory is short. */
void dial_records_set_max(struct dial_records *as, uint32_t max);
void dial_records_fini(struct dial_records *as);

/* Begins one, with its first step. Its number; 0 if memory is short. */
uint32_t dial_records_begin(
    struct dial_records *as, const uint8_t *key, uint32_t conn, uint64_t now_us);

/* Notes a step; DIAL_STEP_OPEN and DIAL_STEP_FAILED are the last. */
void dial_records_note(struct dial_records *as, uint32_t number,
    const struct dial_step *step, uint64_t now_us);

/* The i-th for the key (NULL: any), latest first; NULL at the end. */
const struct dial_record *dial_records_nth(
    const struct dial_records *as, const uint8_t *key, uint32_t i);

#endif
