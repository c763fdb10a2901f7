/* SPDX-License-Identifier: ISC */
/*
 * punch_server.h - the server's replies in a hole punch, protocol 04 §8.
 *
 * Keeps the latest message of the client until our NAT type is known and, for
 * random strategies, a punch slot is free; then replies and starts the probes.
 */
#ifndef PUNCH_PUNCH_SERVER_H
#define PUNCH_PUNCH_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"
#include "punch/holepunch_payload.h"
#include "punch/punch.h"

struct punch_server {
	bool message_pending; /* waits for our NAT type or for a slot */
	bool own_relay; /* we are announced at the relay it came through */
	struct router_ticket ticket;
	struct addr client_addr; /* as the relay sees the client */
	struct holepunch_payload payload;
	uint64_t answered_us;       /* when our last reply left; 0: never */
	uint8_t restarts;           /* of the client, with new predictions */
	struct timer slot_timer;    /* how long to wait for a slot */
	struct timer refresh_timer; /* after the handshake is answered */
};

void punch_server_init(struct puncher *p);

/* Opens our NAT for the client before its first message. */
void punch_server_begin(struct puncher *p);

/* Drops the pending message and disarms the timer. */
void punch_server_fini(struct puncher *p);

/* Continues after a new sample of our NAT, or the end of sampling. */
void punch_server_sampled(struct puncher *p);

/* Continues with the punch slot that was waited for. */
void punch_server_slot_granted(struct puncher *p);

#endif
