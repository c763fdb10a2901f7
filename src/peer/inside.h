/* SPDX-License-Identifier: ISC */
/*
 * inside.h - the insides of struct peers, for the files of this room alone.
 *
 * Who does what:
 *	peer.c	     life, numbers, and the order in which things are told
 *	conn.c	     one connection: its streams, its end, what is told of it
 *	conn_path.c  the ways to its peer, until one is proved
 *	conn_ipv6.c  the socket of IPv6, and the ways by it
 *	conn_punch.c its hole punching, and the sockets that come of it
 *	conn_migrate.c  open streams whose peer has another address
 *	conn_redial.c  a new path for open streams, by another connection
 *	socks.c	     sockets of punching that outlive their connections
 *	dialer.c     from a key to a handshake, and the paths that follow
 *	answer.c     what a server's answer says, and which paths follow
 *	relays.c     nodes that knew a key, for the next dial
 *	attempt.c    what became of the latest dials, step by step
 *	listener.c   our keys: their life, what is told of them
 *	session.c    handshakes with them: limits, copies, decisions
 *	accept.c     one handshake: from the client's message to our answer
 *	local.c	     our own addresses, and what peers are told of them
 */
#ifndef PEER_INSIDE_H
#define PEER_INSIDE_H

#include <sys/queue.h>

#include "base/hash.h"
#include "peer/dial_record.h"
#include "peer/conn.h"
#include "peer/conn_punch.h"
#include "peer/peer.h"
#include "peer/relay_memory.h"
#include "peer/lingering_sockets.h"
#include "stream/secret.h"

/*
 * What has something to tell: a part of each connection and listener, in a
 * queue while `queued`. Taken off it, next() writes one thing down (false: has
 * nothing), and queues itself again for more or frees what it is a part of.
 */
struct stirred {
	TAILQ_ENTRY(stirred) link;
	bool queued;
	bool (*next)(struct stirred *s, struct peer_event *out);
};

TAILQ_HEAD(stirred_list, stirred);

struct listeners;

enum { MOVE_SECRET_LEN = 32 };

struct peers {
	const struct core *core;
	struct peers_base base;
	struct conn *conns; /* by number, in the order in which they began */
	struct stirred_list stirred;
	uint32_t next_number;
	int sock6; /* of IPv6, or WORLD_NO_SOCK */
	uint16_t port6;
	uint8_t move_secret[MOVE_SECRET_LEN]; /* of the nonces of moves */
	struct frame_budget frames;           /* of all connections together */
	struct lingering_sockets lingering;
	struct relay_memory relays;
	struct dial_records attempts;
	uint32_t dials;              /* under way */
	struct listeners *listeners; /* see session.h */
};

/* ---- peer.c ---- */

/* A number that neither a connection nor a listener has. */
uint32_t peers_number(struct peers *p);

/* Queues it, unless it is; and takes it off before it is freed. */
void peers_stir(struct peers *p, struct stirred *s);
void peers_unstir(struct peers *p, struct stirred *s);

/* ---- one connection ---- */

/* As many as a peer may list, and where its packets come from beside. */
enum { CONN_PATHS_MAX = 8 };

/* Addresses of IPv6 that are tried of those which a peer lists. */
enum { CONN_V6_MAX = 4 };

struct conn_path {
	enum conn_path_kind kind;
	int sock;
	struct addr to;
};

enum conn_state {
	CONN_NEW,     /* the handshake is under way */
	CONN_PROVING, /* its result is there, the peer's header not yet */
	CONN_OPEN,
	CONN_CLOSED, /* the streams are gone, the end is to be told */
};

struct conn {
	UT_hash_handle hh;
	struct stirred stirred;
	struct peers *peers;
	uint32_t number, listener;
	enum conn_state state;
	bool initiator, reusable;
	bool alone;       /* the peer has ended its side */
	bool two_way;     /* all that we wrote was acknowledged once */
	bool known;       /* to the application, which hears of the end then */
	bool over;        /* closed on both sides, while something is unread */
	unsigned tell;    /* bits of what is to be told */
	int err;          /* of the end */
	uint32_t attempt; /* that is noted down; 0: none */
	uint8_t key[KEY_LEN];
	uint8_t own_key[KEY_LEN];
	struct addr said; /* of one that is offered: where its peer should be */
	void (*settled)(void *owner, struct conn *c, int err);
	void *owner;

	struct udx_stream *udx;
	struct secret *secret;
	uint32_t peer_udx_id;

	struct conn_path paths[CONN_PATHS_MAX];
	uint8_t paths_len;
	uint8_t current; /* of the paths, by which the stream goes */
	struct timer knock;
	uint32_t knock_ms;

	const struct key_pair *own; /* of one that was dialed; borrowed */
	bool native;                /* the peer is of this project */
	bool holds;                 /* the punch room knows that it is open */
	struct timer stuck;         /* while it is not heard */
	uint64_t packets_in;        /* when that began */
	struct timer quiet;         /* once our side has ended */
	uint64_t life_in;           /* packets, when it was armed */
	bool moved;     /* we may be elsewhere, and should be heard */
	uint8_t silent; /* seconds since */
	bool mends;     /* carries nothing: finds a path for others */
	uint64_t opened_us;
	uint64_t mend_us; /* when such a one may be dialed again */
	uint32_t mend_wait_ms;

	struct addr v6[CONN_V6_MAX]; /* that the peer lists */
	uint8_t v6_len, v6_beats, v6_answers;
	bool v6_heard;         /* one of them has spoken for the stream ... */
	struct addr v6_from;   /* ... this one */
	struct timer v6_timer; /* armed while there is hope */
	uint64_t v6_until_us;  /* end of the head start */

	struct puncher *puncher; /* until it is settled */
	bool punching;
	int punch_err; /* why it ended without a path */
	int sock;      /* that punching has left open, or WORLD_NO_SOCK */
	uint64_t began_us;
	uint64_t shaken_us; /* when the handshake's result was there */
	uint64_t rtt_us;    /* of the handshake; 0: unknown */
};

/* ---- conn.c ---- */

/* What udx has to tell of its stream. It may be gone afterwards. */
void conn_stirred(struct conn *c, unsigned events);

/* Keep-alives of all have the pace of DHT_EV_REPACED from now on. */
void conns_repace(struct peers *p);

/* For who asks later how it went; nothing if nobody dialed. */
void conn_note(struct conn *c, const struct dial_step *step);

/* ---- conn_path.c ---- */

void conn_paths_init(struct conn *c);
void conn_paths_fini(struct conn *c);

void conn_note_path(
    struct conn *c, enum dial_step_kind kind, const struct conn_path *path);

/* Somebody spoke from an address that is not the path's: one more path. */
void conn_source(struct conn *c);

/* The peer is proved: the stream goes by the path that it uses. */
void conn_paths_settle(struct conn *c);

/* Something of ours was acknowledged. */
bool conn_is_two_way(const struct conn *c);

/* Ours, and open as long as a stream goes by it. */
bool conn_may_stay(const struct conn *c, int sock);

/* The open stream goes there. */
bool conn_goes_by(const struct conn *c, int sock, const struct addr *to);

/*
 * The peer has proved that it is there now, and the socket may be used: the
 * stream goes there. False if it did already, or cannot.
 */
bool conn_move(struct conn *c, int sock, const struct addr *to);

/* ---- conn_ipv6.c ---- */

/* A socket of the node's own, that ends with it. */
bool peers_has_socket(const struct peers *p, int sock);
void peers_close6(struct peers *p);

/* What both sides say of where they are. */
void peers_describe(const struct peers *p, struct payload *out);

/* The handshake is done: tries what the peer lists, if both have IPv6. */
void conn6_begin(struct conn *c, const struct payload *theirs);
void conn6_fini(struct conn *c);

/* It may still come to something. */
bool conn6_hopes(const struct conn *c);

bool conn6_is_current(const struct conn *c);

/* Somebody spoke from elsewhere than the path; after conn_source(). */
void conn6_source(struct conn *c);

/* The peer is proved; after conn_paths_settle(). */
void conn6_settle(struct conn *c);

/* ---- conn_migrate.c ---- */

/* Tells the peer where we are, so that it sends there. */
void conn_say_here(struct conn *c);

void conn_moves_init(struct conn *c);
void conn_moves_fini(struct conn *c);

/* A timeout: what is under way finds no answer. */
void conn_stuck(struct conn *c);

/* Our side has ended: nothing of ours finds out any more whether the peer is
 * there, so it is asked, and given up if it is not. */
void conn_listens_on(struct conn *c);

/* Messages beside the stream have come. */
void conn_messages(struct conn *c);

/* As if we had moved there: the peer is asked to come, and we follow. */
void conn_here(struct conn *c, int sock, const struct addr *to);

/* ---- conn_redial.c ---- */

/* Nothing is heard of its peer: looks for a new path to it, if we dialed. */
void conn_mend(struct conn *c);

/* Of one that was made for that: it is open. */
void conn_mend_opened(struct conn *m);

/* It did not open: where the peer knows of no such stream, as after a restart,
 * those that wait for it end. */
void conn_mend_failed(struct conn *m, int err);

/* We have accepted an open stream between these keys. Another connection that
 * was to mend it ends. */
bool conn_mend_accept(
    struct peers *p, const uint8_t *own_key, const uint8_t *key);

/* Where the stream goes, or family none. */
struct addr conn_remote(const struct conn *c);

#endif
