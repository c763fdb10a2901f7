/* SPDX-License-Identifier: ISC */
/*
 * punch.h - direct paths through NATs, protocol 04.
 *
 * One struct punch holds the sockets of a node that are not its two ordinary
 * ones: a few kept open and classified ahead of need, and those of the
 * attempts under way. A puncher is one side of one attempt: begun with the
 * connection, because its socket carries the handshake; told of the peer when
 * the handshake is done; heard through events. It proves nothing: a path that
 * it finds is a candidate until the stream above has authenticated it. Uses:
 * base, crypto, dht, records, signal.
 */
#ifndef PUNCH_PUNCH_H
#define PUNCH_PUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core.h"
#include "dht/dht.h"
#include "punch/gauge.h"
#include "signal/router.h"

struct punch;
struct puncher;

enum { PUNCH_KEY_LEN = 32, PUNCH_RELAYS_MAX = 3 };

/* All three are borrowed for its life. NULL if memory is short. */
struct punch *punch_new(
    const struct core *core, struct dht *d, struct router *rt);

/* After all punchers are freed; closes all sockets. NULL is none. */
void punch_free(struct punch *p);

/* After the limits of the core have changed. */
void punch_limits_changed(struct punch *p);

/* punch_recv() leaves the datagram to others. */
enum { PUNCH_NOT_MINE = 1 };

/* A probe, protocol 04 §3: 0 or 1 byte on a socket of ours. 0, PUNCH_NOT_MINE,
 * or why it was dropped (counted). */
int punch_recv(struct punch *p, const struct dgram *dg);

/*
 * One probe, from any socket; ttl 0: the usual. False: there was no room. Whom
 * one may send to is the caller's to know.
 */
bool punch_probe(struct punch *p, int sock, const struct addr *to, uint8_t ttl);

/* What was learnt of the NAT is void: another network, or a long sleep. */
void punch_wake(struct punch *p);

/* Whether sockets are kept ready: while somebody may want us. */
void punch_keep_ready(struct punch *p, bool on);

/* A connection uses a way through the NAT, or no longer: counted. */
void punch_hold(struct punch *p);
void punch_let_go(struct punch *p);

/* After DHT_EV_REPACED: what was measured may be in doubt. */
void punch_repaced(struct punch *p);

/* Closes a socket that puncher_free() left open; any other is left alone. */
void punch_close(struct punch *p, int sock);

/* ---- a puncher ---- */

enum punch_event_kind {
	PUNCH_ROUND,     /* a message was sent through addr; number: round */
	PUNCH_ANSWER,    /* the peer answered through addr; number: verdict */
	PUNCH_PROBING,   /* probes are being sent; number: schedule_kind */
	PUNCH_CANDIDATE, /* addr may be the peer, heard on sock */
	PUNCH_FAILED,    /* err; nothing more comes */
};

struct punch_event {
	enum punch_event_kind kind;
	struct addr addr;
	int sock, err;
	uint32_t number;
};

/* Called from datagrams, completions and timers. May free the puncher when
 * the event is PUNCH_FAILED, not otherwise. */
struct punch_owner {
	void (*event)(void *owner, const struct punch_event *e);
	void *owner;
};

/* A socket for the attempt; from the pool if there is one. NULL and *err:
 * ERR_LIMIT, ERR_SOCKET, ERR_MEMORY. */
struct puncher *puncher_new(
    struct punch *p, const struct punch_owner *o, int *err);

/*
 * Closes its sockets, but leaves `keep` open (WORLD_NO_SOCK: none) until
 * punch_close(): the stream goes on through it. No event follows. NULL: none.
 */
void puncher_free(struct puncher *p, int keep);

/* The socket that the handshake is to leave from. */
int puncher_sock(const struct puncher *p);

/* True of that one, and of all others that the attempt has opened. */
bool puncher_has(const struct puncher *p, int sock);

/*
 * Something was sent from it to this address by others than the puncher, which
 * counts what the NAT has seen; and this node saw us there at this address.
 */
void puncher_sent(struct puncher *p, const struct addr *to);
void puncher_saw(
    struct puncher *p, const struct addr *us, const struct addr *by);

/* What the handshake has left. All is copied. */
struct punch_peer {
	const uint8_t *secret; /* PUNCH_KEY_LEN, of the handshake */
	struct addr addr;      /* the peer as the relay sees it */
	bool native;     /* a node of this project: may be asked for more */
	uint64_t rtt_us; /* of the handshake, through the relay; 0: unknown */
	/* The client's side only. */
	const uint8_t *target;
	uint64_t id;       /* the server's slot */
	struct addr relay; /* through which the handshake went */
	struct {
		struct addr relay, peer;
	} relays[PUNCH_RELAYS_MAX]; /* of the server */
	uint8_t relays_len;
};

/* The client's side begins, protocol 04 §7. 0 or ERR_VALUE: no relays. */
int puncher_connect(struct puncher *p, const struct punch_peer *peer);

/* The server's side begins: it echoes probes and waits 10 s for the client to
 * declare that it punches, protocol 04 §8. */
void puncher_accept(struct puncher *p, const struct punch_peer *peer);

/*
 * A PEER_HOLEPUNCH of the client; answered now or when the verdict is there.
 * own_relay: it came through a relay that we announced ourselves to. 0 or why
 * it was dropped (counted).
 */
int puncher_serve(
    struct puncher *p, const struct router_call *call, bool own_relay);

/* For a slot whose puncher has gone: tells the client so. */
void punch_refuse(
    struct punch *p, const uint8_t *secret, const struct router_call *call);

struct puncher_status {
	enum verdict own, peer;
	uint32_t rounds, probes, sockets;
};

void puncher_status(const struct puncher *p, struct puncher_status *out);

#endif
