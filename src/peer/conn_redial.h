/* SPDX-License-Identifier: ISC */
/*
 * conn_redial.h - new paths for open streams, found by dialing again.
 *
 * Used where the path is lost for both ends, as between two NATs of which one
 * was restarted and neither lets the other in. The dialer of the streams dials
 * the same key once more, with relays, a lookup and hole punching. The
 * connection that opens carries no bytes and is not visible to the
 * application: it migrates the streams to its own path and ends.
 * Uses: base, dialer.
 */
#ifndef PEER_CONN_REDIAL_H
#define PEER_CONN_REDIAL_H

#include "base/timer.h"
#include "peer/conn.h"

struct conn_redial {
	/* of a stream that has lost its path */
	uint64_t next_us; /* when its key may be dialed again */
	uint32_t wait_ms; /* from one dial to the next; 0: none yet */
	/* of a connection that redials */
	struct timer lead;   /* sends HERE for each stream again */
	struct timer expiry; /* ends it */
};

void conn_redial_init(struct conn *c);
void conn_redial_fini(struct conn *c);

/* Dials the peer of a lost path again, if we have dialed it and may now. */
void conn_redial(struct conn *c);

/* Forgets the back-off: a packet was received. */
void conn_redial_reset(struct conn *c);

/* Handles the opening of a connection that redials. */
void conn_redial_opened(struct conn *r);

/* Handles its failure: if the peer knows no such stream, as after a restart,
 * the streams that wait for it fail. */
void conn_redial_failed(struct conn *r, int err);

/*
 * Returns true if we have accepted an open stream between these keys, for
 * which a redial may be accepted. Ends an earlier redial that was accepted.
 */
bool conn_redial_accept(
    struct peers *p, const uint8_t *own_key, const uint8_t *key);

#endif
