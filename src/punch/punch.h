/* SPDX-License-Identifier: ISC */
/*
 * punch.h - direct paths through NATs, protocol 04.
 *
 * One struct punch holds the sockets of a node beside its two ordinary ones: a
 * few that are kept open and classified ahead of need, and those of the
 * attempts under way. A puncher is one side of one attempt. It is created with
 * the connection, as its socket sends the handshake; it receives the peer's
 * data when the handshake is complete, and reports through events. It
 * authenticates nothing: a path that it finds is a candidate until the stream
 * above has validated it. Uses: base, crypto, dht, records, signal.
 */
#ifndef PUNCH_PUNCH_H
#define PUNCH_PUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core.h"
#include "dht/dht.h"
#include "punch/destination_budget.h"
#include "punch/nat_classifier.h"
#include "signal/router.h"

struct lifetime_waiter;
struct punch;
struct puncher;

enum { PUNCH_KEY_LEN = 32, PUNCH_RELAYS_MAX = 3 };

/* Allocates the module's state; borrows all arguments for its life. Returns
 * NULL if memory is short. */
struct punch *punch_new(
    const struct core *core, struct dht *dht, struct router *router);

/* Frees all punchers, closes all sockets and frees p; NULL is allowed. */
void punch_free(struct punch *p);

/* Applies changed limits of the core. */
void punch_limits_changed(struct punch *p);

/* punch_recv() returns this for a datagram of another module. */
enum { PUNCH_NOT_MINE = 1 };

/*
 * Processes a probe: 0 or 1 byte on a socket of ours, protocol 04 §3. Returns
 * 0, PUNCH_NOT_MINE, or why it was dropped (counted).
 */
int punch_recv(struct punch *p, const struct dgram *dg);

/*
 * Charges one datagram, a probe or a path challenge, that is about to be sent
 * to an address which a peer or a relay has named. Returns false, and counts
 * it, if the budget of that host, or of further addresses, is used up: then it
 * must not be sent.
 */
__attribute__((warn_unused_result)) bool punch_may_probe(
    struct punch *p, const struct addr *to, const struct probe_origin *origin);

/* Charges several datagrams, such as the first ones of a stream. */
__attribute__((warn_unused_result)) bool punch_may_send(struct punch *p,
    const struct addr *to, const struct probe_origin *origin,
    uint32_t datagrams);

/* Charges one of many probes to guessed ports of a host, whose number punch
 * admission limits: the host counts as one address. */
__attribute__((warn_unused_result)) bool punch_may_guess(
    struct punch *p, const struct addr *to, const struct probe_origin *origin);

/*
 * Sends one probe from any socket; ttl 0 is the system's default. Returns false
 * if the transmit batch has no space. The caller checks that the address may be
 * sent to: dht_may_send(), punch_may_probe().
 */
bool punch_probe(struct punch *p, int sock, const struct addr *to, uint8_t ttl);

/*
 * Discards all knowledge of the NAT after a change of network or a long sleep.
 */
void punch_wake(struct punch *p);

/* Enables or disables the pool of classified sockets; it is of use while keys
 * are listening. */
void punch_keep_ready(struct punch *p, bool on);

/* Count the connections that depend on a NAT mapping. */
void punch_path_opened(struct punch *p);
void punch_path_closed(struct punch *p);

/* Checks the measured mapping lifetime again, after DHT_EV_REPACED. */
void punch_keepalive_changed(struct punch *p);

/*
 * Adds w to the measurement of the mapping lifetime under way, or starts one;
 * borrows w until its event with next_s 0. Returns 0, or why no measurement can
 * be started (lifetime.h).
 */
int punch_measure_lifetime(struct punch *p, struct lifetime_waiter *w)
    __attribute__((warn_unused_result));

/* Removes a waiter before that event. */
void punch_stop_measuring(struct punch *p, struct lifetime_waiter *w);

/* Closes a socket that puncher_free() left open; ignores any other. */
void punch_close(struct punch *p, int sock);

/* ---- a puncher ---- */

enum punch_event_kind {
	PUNCH_ROUND,     /* sent a message through addr; number: round */
	PUNCH_ANSWER,    /* got a message through addr; number: nat_type */
	PUNCH_PROBING,   /* started to probe; number: schedule_kind */
	PUNCH_CANDIDATE, /* addr may be the peer, reachable from sock */
	PUNCH_FAILED,    /* err; the last event */
};

struct punch_event {
	enum punch_event_kind kind;
	struct addr addr;
	int sock, err;
	uint32_t number;
};

/* event() is called from datagrams, completions and timers. It may free the
 * puncher when the event is PUNCH_FAILED, not otherwise. */
struct punch_owner {
	void (*event)(void *owner, const struct punch_event *e);
	void *owner;
};

/* Creates a puncher and takes a socket for it, from the pool if possible.
 * Returns NULL and sets *err to ERR_LIMIT, ERR_SOCKET or ERR_MEMORY. */
struct puncher *puncher_new(
    struct punch *p, const struct punch_owner *o, int *err);

/*
 * Notifies the server that the client gives up, if p is a client that has not
 * ended: the server then stops probing and frees its punch slot. Call it before
 * puncher_free() if the connection has not opened.
 */
void puncher_abandon(struct puncher *p);

/*
 * Frees p and closes its sockets, except `keep` (or WORLD_NO_SOCK), which the
 * stream goes on to use and punch_close() closes. No event follows. NULL is
 * allowed.
 */
void puncher_free(struct puncher *p, int keep);

/* Returns the socket that the handshake must be sent from. */
int puncher_sock(const struct puncher *p);

/* Returns whether the attempt has opened this socket. */
bool puncher_has_socket(const struct puncher *p, int sock);

/* Returns true if the attempt still probes from this socket, and false after
 * another one has replaced it. */
bool puncher_uses_socket(const struct puncher *p, int sock);

/* Keeps a socket of the attempt open until puncher_free(), because a stream has
 * a path over it: another round of probes closes the others. */
void puncher_hold_socket(struct puncher *p, int sock);

/* Records that the caller sent to this address from the puncher's socket: the
 * NAT may have allocated a mapping for it. */
void puncher_note_sent(struct puncher *p, const struct addr *to);

/* Adds a sample: the node `by` sees the puncher's socket at `us`. */
void puncher_add_sample(
    struct puncher *p, const struct addr *us, const struct addr *by);

/* The result of the handshake; the puncher copies all of it. */
struct punch_peer {
	const uint8_t *secret; /* PUNCH_KEY_LEN, of the handshake */
	struct addr addr;      /* the peer as the relay sees it */
	bool native;           /* a node of this project, with its extensions */
	uint64_t rtt_us; /* of the handshake, through the relay; 0: unknown */
	struct probe_origin origin; /* of the handshake */
	/* On the client's side only. */
	const uint8_t *target;
	uint64_t id;       /* of the attempt at the server */
	struct addr relay; /* that forwarded the handshake */
	struct {
		struct addr relay, peer;
	} relays[PUNCH_RELAYS_MAX]; /* of the server */
	uint8_t relays_len;
};

/* Starts the client's side, protocol 04 §7. Returns 0, or ERR_VALUE if the
 * server has no relays. */
int puncher_connect(struct puncher *p, const struct punch_peer *peer);

/* Starts the server's side, protocol 04 §8: echoes probes and waits 10 s for
 * the client's punch round. */
void puncher_accept(struct puncher *p, const struct punch_peer *peer);

/* Charges the probes of the server's side to another origin from now on. */
void puncher_set_origin(struct puncher *p, const struct probe_origin *origin);

/*
 * Processes a PEER_HOLEPUNCH message of the client; replies now, or when our
 * NAT type is known. own_relay: it came through a relay that we are announced
 * at. Returns 0, or why it was dropped (counted).
 */
int puncher_serve(
    struct puncher *p, const struct router_call *call, bool own_relay);

/*
 * Replies that the attempt is aborted, to a client after its puncher was freed.
 */
void punch_refuse(
    struct punch *p, const uint8_t *secret, const struct router_call *call);

struct puncher_status {
	enum nat_type own, peer;
	uint32_t rounds, probes, sockets;
};

void puncher_status(const struct puncher *p, struct puncher_status *out);

#endif
