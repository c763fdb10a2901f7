/* SPDX-License-Identifier: ISC */
/*
 * dial_record.h - what was done to reach a key, step by step.
 *
 * A ring of the last dials, to explain why a connection failed or was
 * slow. The dialer and the connection append steps by the record's number; a
 * record that was evicted meanwhile takes no more. Uses: base, crypto.
 */
#ifndef PEER_DIAL_RECORD_H
#define PEER_DIAL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/limits.h"
#include "crypto/keys.h"
#include "peer/conn.h"

enum dial_step_kind {
	DIAL_STEP_BEGIN,
	DIAL_STEP_CACHED,    /* relays known from an earlier dial: number */
	DIAL_STEP_FOUND,     /* addr: a node that knows the peer */
	DIAL_STEP_HANDSHAKE, /* sent through addr */
	DIAL_STEP_ANSWER,    /* the handshake was answered through addr */
	DIAL_STEP_NO_ANSWER, /* no valid answer from addr: err */
	DIAL_STEP_LOOKUP,    /* the lookup ended: err */
	DIAL_STEP_TRY,       /* a path candidate was added: path, addr */
	DIAL_STEP_PATH_LOST, /* a path failed: path, addr, err */
	DIAL_STEP_PUNCH,     /* a round of hole punching through addr: number */
	DIAL_STEP_NAT_TYPE,  /* of the peer, reported through addr: number */
	DIAL_STEP_PROBES,    /* probes are sent; number: their kind */
	DIAL_STEP_RELAY,     /* a blind relay is dialed */
	DIAL_STEP_OPEN,      /* path, addr */
	DIAL_STEP_FAILED,    /* err */
};

struct dial_step {
	enum dial_step_kind kind;
	uint64_t at_us; /* since the start; set by dial_records_note() */
	enum conn_path_kind path;
	struct addr addr;
	int err;
	uint32_t number;
};

struct dial_record {
	uint32_t number; /* 0: none is here */
	uint32_t conn;
	uint8_t key[KEY_LEN];
	uint64_t began_us;
	bool under_way;
	int err;
	uint32_t steps_len;
	uint32_t steps_lost; /* later ones: the first explain a failure */
	struct dial_step steps[DIAL_STEPS_MAX];
};

struct dial_records {
	struct dial_record **ring; /* each is allocated at its first use */
	uint32_t max;
	uint32_t count; /* of all dials so far */
};

/* Allocates a ring of max records. Returns 0 or ERR_MEMORY. */
int dial_records_init(struct dial_records *rs, uint32_t max);

/* Changes the size and evicts the oldest records. Changes nothing if memory is
 * short. */
void dial_records_set_max(struct dial_records *rs, uint32_t max);
void dial_records_fini(struct dial_records *rs);

/* Begins a record with its first step. Returns its number, or 0 if memory is
 * short. */
uint32_t dial_records_begin(struct dial_records *rs, const uint8_t *key,
    uint32_t conn, uint64_t now_us);

/* Appends a step; DIAL_STEP_OPEN and DIAL_STEP_FAILED complete the record. */
void dial_records_note(struct dial_records *rs, uint32_t number,
    const struct dial_step *step, uint64_t now_us);

/* Returns the latest record for the key (NULL: any) with a number below
 * `before` (0: any number), or NULL. */
const struct dial_record *dial_records_before(
    const struct dial_records *rs, const uint8_t *key, uint32_t before);

#endif
