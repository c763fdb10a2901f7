/* SPDX-License-Identifier: ISC */
/*
 * punch_client.h - the client's rounds of a hole punch, protocol 04 §7.
 *
 * Sends PEER_HOLEPUNCH requests through the server's relays, processes the
 * replies and starts the probes. If a relay is slow, the request is repeated
 * through another one.
 */
#ifndef PUNCH_PUNCH_CLIENT_H
#define PUNCH_PUNCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"
#include "punch/punch.h"

struct request;

/* Messages in flight: one per relay, and one for the relay of the handshake. */
enum { PUNCH_MESSAGES_MAX = PUNCH_RELAYS_MAX + 1 };

enum punch_client_state {
	PUNCH_CLIENT_IDLE,
	PUNCH_CLIENT_PROBE_ROUND,      /* that round's message is in flight */
	PUNCH_CLIENT_SERVER_UNDECIDED, /* the server does not know its NAT */
	PUNCH_CLIENT_SAMPLING,         /* we do not know our NAT */
	PUNCH_CLIENT_SLOT_WAIT,        /* no punch slot is free here ... */
	PUNCH_CLIENT_SERVER_BUSY, /* ... or none at the server: retry later */
	PUNCH_CLIENT_PUNCH_ROUND, /* that round's message is in flight */
	PUNCH_CLIENT_PROBING,
};

/* A request through one relay. */
struct punch_message {
	struct puncher *puncher;
	struct request *request; /* NULL while unused */
	uint8_t relay;           /* entry of punch_peer.relays */
};

struct punch_client {
	enum punch_client_state state;
	struct timer relay_timer; /* PROBE_ROUND, PUNCH_ROUND: a slow relay */
	struct timer undecided_timer; /* SERVER_UNDECIDED: the next round */
	struct timer busy_timer;      /* SERVER_BUSY: the next attempt */
	struct punch_message messages[PUNCH_MESSAGES_MAX];
	uint8_t rounds;       /* round numbers used */
	uint8_t probe_rounds; /* of these, probe rounds */
	uint8_t relay;        /* entry that was used last */
	uint8_t predictions;  /* attempts with predicted ports */
	bool reopened;        /* the server must learn our new address */
	bool probed_full_ttl; /* open probes of full TTL were sent */
};

void punch_client_init(struct puncher *p);

/* Starts the first round. */
void punch_client_begin(struct puncher *p);

/* Cancels the messages in flight and disarms the timers. */
void punch_client_fini(struct puncher *p);

/* Continues after a new sample of our NAT, or the end of sampling. */
void punch_client_sampled(struct puncher *p);

/* Continues with the punch slot that was waited for. */
void punch_client_slot_granted(struct puncher *p);

/* Notifies the server that the client has given up the attempt. */
void punch_client_abandon(struct puncher *p);

/*
 * Starts another attempt after probing failed. Returns false if there is none.
 */
bool punch_client_try_again(struct puncher *p);

#endif
