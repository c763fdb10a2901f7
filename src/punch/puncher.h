/* SPDX-License-Identifier: ISC */
/*
 * puncher.h - one side of one hole punch, protocol 04.
 *
 * Holds what the client's and the server's side have in common: the punch
 * socket, the NAT types of both sides, received probes, the deadline and the
 * outcome. punch_client.h drives the client's rounds, punch_server.h answers
 * them, probing.h sends the probes. punch.h has the functions for the owner.
 *
 *	NEW --puncher_connect(), puncher_accept()--> ROUNDS
 *	ROUNDS --probing_start()--> PROBING --probing_stop()--> ROUNDS
 *	ROUNDS, PROBING --puncher_fail(), deadline--> FAILED
 */
#ifndef PUNCH_PUNCHER_H
#define PUNCH_PUNCHER_H

#include <sys/queue.h>

#include "punch/echo_limiter.h"
#include "punch/holepunch_payload.h"
#include "punch/probing.h"
#include "punch/punch.h"
#include "punch/punch_client.h"
#include "punch/punch_server.h"
#include "punch/punch_socket.h"

enum {
	UNPUNCHABLE_REOPENS_MAX = 3, /* protocol 04 §3 */
	/* Further punch sockets in all: one for each prediction, and those of
	 * the start and of the end. */
	PUNCHER_REOPENS_MAX = 5,
	PREDICTIONS_MAX = 3, /* attempts with predicted ports */
	/* How long a server waits for its client to start punching, protocol
	 * 04 §15. */
	SERVER_WAIT_MS = 10000,
};

TAILQ_HEAD(puncher_list, puncher);

enum puncher_state {
	PUNCHER_NEW,     /* the handshake is under way */
	PUNCHER_ROUNDS,  /* messages are exchanged through a relay */
	PUNCHER_PROBING, /* probes are sent by the schedule */
	PUNCHER_FAILED,  /* final; `err` is the reason */
};

/* What we report about our own NAT. */
struct punch_local {
	enum nat_type nat_type;
	bool predicted; /* the addresses are predictions of the next mappings */
	uint8_t addrs_len;
	struct addr addrs[HOLEPUNCH_ADDRS_MAX];
};

/* What the peer has reported about itself. */
struct punch_remote {
	bool known; /* a message was received */
	bool has_token;
	bool punching;
	enum nat_type nat_type;
	uint64_t round;
	uint8_t addrs_len;
	struct addr addrs[HOLEPUNCH_ADDRS_MAX];
	struct addr
	    verified; /* host that returned our token, port 0; or none */
	uint8_t token[HOLEPUNCH_TOKEN_LEN];
};

struct puncher {
	TAILQ_ENTRY(puncher) link;
	struct punch *punch;
	struct punch_owner owner;
	struct punch_socket *socket;
	/* Replaced sockets stay open: a stream may try a path through them. */
	struct punch_socket *old_sockets[PUNCHER_REOPENS_MAX];
	uint8_t reopened; /* length of old_sockets */
	struct punch_peer peer;
	uint8_t secret[PUNCH_KEY_LEN], target[PUNCH_KEY_LEN];
	uint8_t token_secret[HOLEPUNCH_SECRET_LEN];
	enum puncher_state state; /* changed by puncher_set_state() alone */
	bool initiator;           /* the client's side */
	bool has_probed; /* the socket is not reusable for another attempt */
	bool prediction_failed; /* probes to predicted ports failed */
	int err;                /* why it failed, or 0 */
	struct timer deadline;  /* of the client's next message or the probes */
	struct timer failure;   /* reports the failure to the owner */
	struct punch_local frozen; /* while the classifier is frozen */
	struct punch_remote remote;
	struct probing probing;
	struct echo_limiter echo_limiter;
	struct punch_client client;
	struct punch_server server;
};

/* Changes the state; FAILED is final. */
void puncher_set_state(struct puncher *p, enum puncher_state state);

/* Returns whether the attempt has begun and has not failed. */
bool puncher_is_active(const struct puncher *p);

/* Passes an event to the owner. */
void puncher_emit(struct puncher *p, const struct punch_event *e);

/* Ends the attempt; a timer then sends PUNCH_FAILED to the owner. */
void puncher_fail(struct puncher *p, int err);

/* Starts, or starts again, to wait for the client's next message. Server
 * only. */
void puncher_await_client(struct puncher *p);

/* Returns what we report about our NAT: current, or as it was when frozen. */
void puncher_get_local(const struct puncher *p, struct punch_local *out);

/* Keeps other sockets from creating mappings for a while if the attempt
 * predicts sequential ports, see socket_table.quiet_until_us. */
void puncher_keep_quiet(struct puncher *p);

/* Freezes our NAT type and addresses: the peer relies on them from now on. */
void puncher_freeze(struct puncher *p);

/*
 * Stores what the peer reports. proven: its host returned our token, or NULL.
 */
void puncher_set_remote(struct puncher *p, const struct holepunch_payload *c,
    const struct addr *proven);

/* Returns whether one side reports predicted ports, so that another attempt
 * with fresh predictions is worthwhile. */
bool puncher_is_predicting(const struct puncher *p);

/* Returns whether no schedule fits our NAT type and that of the peer. */
bool puncher_is_unpunchable(const struct puncher *p);

/* Replaces the socket by a new one, with new samples. Returns false if it
 * cannot be replaced any more or now. */
bool puncher_reopen(struct puncher *p);

/* Replaces the socket because no schedule fits; fewer times than above. */
bool puncher_reopen_unpunchable(struct puncher *p);

/* Fills in the fields that the messages of both sides share. */
void puncher_fill_payload(const struct puncher *p, struct holepunch_payload *c);

/* Encrypts a payload into box. Returns its length, or 0. */
size_t puncher_seal_payload(struct puncher *p,
    const struct holepunch_payload *c, uint8_t box[HOLEPUNCH_BOX_MAX]);

/* Processes a probe received on one of its sockets. Returns 0, or why it was
 * dropped (counted). */
int puncher_recv_probe(struct puncher *p, const struct dgram *dg);

#endif
