/* SPDX-License-Identifier: ISC */
/*
 * inside.h - the insides of punch, for the files of this room alone.
 *
 * Who does what:
 *	punch.c    all sockets, the pool, probes in
 *	lookout.c   one socket and its samples
 *	lifetime.c  how long the NAT remembers, measured
 *	upkeep.c    when that is done, and for whom
 *	puncher.c  one side of one attempt: what both sides do
 *	probing.c  probes out, by schedule
 *	client.c   the client's rounds, protocol 04 §7
 *	server.c   the server's answers, protocol 04 §8
 */
#ifndef PUNCH_INSIDE_H
#define PUNCH_INSIDE_H

#include "base/bucket.h"
#include "base/stats.h"
#include "punch/claims.h"
#include "punch/lookout.h"
#include "punch/ports.h"
#include "punch/punch.h"
#include "punch/schedule.h"
#include "punch/turns.h"
#include "punch/upkeep.h"

enum {
	REOPENS_MAX = 3, /* protocol 04 §3 */
	ECHO_HOSTS = 8,  /* sources of probes that have a budget each */
	ECHO_RATE = 20,  /* answers a second and source, pitfall P19 */
	ECHO_RATE_ALL = 100,
	KNOCKS_MAX = 7,         /* probes ahead of the schedule */
	SERVER_WAIT_MS = 10000, /* for a client that punches, protocol 04 §15 */
	ASKS_MAX = PUNCH_RELAYS_MAX + 1, /* messages in flight */
};

TAILQ_HEAD(puncher_list, puncher);

struct punch {
	const struct core *core;
	struct dht *d;
	struct router *rt;
	struct hole *holes;       /* by handle: all sockets of ours */
	struct lookout_list idle; /* kept ready */
	uint32_t idle_len;
	bool ready;
	struct timer fill; /* the pool wants another socket */
	struct puncher_list punchers;
	uint32_t punchers_len;
	struct turns turns;
	struct upkeep upkeep;
};

/* What one side tells of itself. */
struct self {
	enum verdict verdict;
	bool predicted; /* the addresses are guesses of what comes next */
	uint8_t addrs_len;
	struct addr addrs[CLAIMS_ADDRS_MAX];
};

/* What the other has told. */
struct other {
	bool heard, has_token;
	enum verdict verdict;
	bool punching;
	uint64_t round;
	uint8_t addrs_len;
	struct addr addrs[CLAIMS_ADDRS_MAX];
	struct addr verified; /* host that proved itself; port 0; or none */
	uint8_t token[CLAIMS_TOKEN_LEN];
};

struct echo {
	struct addr host;
	struct bucket left;
};

enum client_state {
	CLIENT_IDLE,
	CLIENT_ASKS,     /* the probe round's message is out */
	CLIENT_PAUSES,   /* the server did not know its verdict yet */
	CLIENT_SAMPLES,  /* we do not know ours */
	CLIENT_LINES_UP, /* for a turn to punch at random */
	CLIENT_PUTS_OFF, /* the server has no turn: try later */
	CLIENT_DECLARES, /* the punching round's message is out */
	CLIENT_PROBES,
};

/* A message in flight through one relay. */
struct ask {
	struct puncher *of;
	struct request *request; /* NULL: none */
	uint8_t relay;           /* entry of the peer's list */
};

struct client {
	enum client_state state;
	struct timer timer; /* of the state */
	struct ask asks[ASKS_MAX];
	uint8_t rounds;       /* numbers used */
	uint8_t probe_rounds; /* of the first kind */
	uint8_t relay;        /* entry that was used last */
	uint8_t guesses;      /* attempts at predicted ports */
	bool fresh;           /* reopened: the peer must hear of it */
	bool knocked;         /* at full TTL */
};

struct server {
	bool waiting; /* a message waits for the verdict, or for a turn */
	struct router_ticket ticket;
	struct addr client; /* as the relay sees it */
	struct claims claims;
	bool own_relay;
	uint64_t answered_us; /* when our last answer left; 0: never */
	uint8_t guesses;      /* how often the client has begun again */
	struct timer turn_wait;
};

struct puncher {
	TAILQ_ENTRY(puncher) link;
	struct punch *room;
	struct punch_owner owner;
	struct lookout *out;
	/* Those before it: a stream may try a path through them. */
	struct lookout *olds[REOPENS_MAX];
	struct punch_peer peer;
	uint8_t secret[PUNCH_KEY_LEN], target[PUNCH_KEY_LEN];
	uint8_t token_secret[CLAIMS_SECRET_LEN];
	bool begun, initiator, probing;
	bool used; /* its socket has sent probes: not for another attempt */
	int err;   /* failed; to be told by the timer `end` */
	struct timer end;
	struct self told; /* while the lookout's NAT is frozen */
	struct other other;
	uint8_t reopened;
	bool honest; /* ports were predicted, in vain */

	struct timer shots, knocks;
	uint64_t start_us;
	struct schedule schedule;
	struct shot shot; /* the next */
	struct ports ports;
	struct hole **fan; /* further sockets */
	uint32_t fan_len, fan_max;
	struct turn turn;
	struct addr knock_to;
	bool knock_low;
	uint8_t knocked;
	uint32_t probes;

	struct echo echoes[ECHO_HOSTS];
	struct bucket echo_all;
	uint8_t echo_next;

	struct client client;
	struct server server;
};

/* ---- punch.c ---- */

/* Opens a socket for it; *port is where it is bound. 0, ERR_SOCKET,
 * ERR_ADDRESS_USED or ERR_MEMORY. */
int room_open_hole(struct punch *p, struct hole *h, uint16_t *port);
void room_close_hole(struct punch *p, struct hole *h);

/* An idle lookout, or a new one. NULL and *err. */
struct lookout *room_take(struct punch *p, int *err);

/* Takes it back, for another attempt if it is wanted. */
void room_give(struct punch *p, struct lookout *o, bool reusable);

/* ---- puncher.c ---- */

void puncher_tell(struct puncher *p, const struct punch_event *e);

/* Ends it: PUNCH_FAILED follows from a timer. */
void puncher_fail(struct puncher *p, int err);

/* What we tell of ourselves: current, or as it was when it was frozen. */
void puncher_self(const struct puncher *p, struct self *out);
void puncher_freeze(struct puncher *p);

/* Takes over what the other side says; proven: its host has echoed. */
void puncher_hear(
    struct puncher *p, const struct claims *c, const struct addr *proven);

/* One side tells ports that it expects to get: worth another guess. */
bool puncher_guesses(const struct puncher *p);

/* The verdict is of no use with that of the other. */
bool puncher_is_bad(const struct puncher *p);

/* Another socket, with new samples. False: not again. */
bool puncher_reopen(struct puncher *p);

/* Fills in what both sides' messages have in common. */
void puncher_claim(const struct puncher *p, struct claims *c);

/* Seals into box; the length, or 0. */
size_t puncher_seal(
    struct puncher *p, const struct claims *c, uint8_t box[CLAIMS_BOX_MAX]);

/* A probe came in on a socket of this puncher. */
int puncher_probed(struct puncher *p, const struct dgram *dg);

/* ---- probing.c ---- */

/*
 * Probes by the strategy that fits, from delay_us on. 0; ERR_PUNCH: none
 * fits, or nobody is verified; ERR_LIMIT: too few sockets. Random ones need a
 * turn.
 */
int probing_start(struct puncher *p, uint64_t delay_us);

/* Sends no more; the sockets stay, a stream may be trying one of them. */
void probing_stop(struct puncher *p);
void probing_fini(struct puncher *p);

/* One strategy or another would need a turn. */
enum schedule_kind probing_kind(const struct puncher *p);

/*
 * Probes ahead of the schedule: one of low TTL that opens our NAT, or several
 * of full TTL in the first second.
 */
void probing_knock(struct puncher *p, const struct addr *to, bool low);

void probing_send(struct puncher *p, int sock, const struct addr *to, bool low);

/* ---- client.c, server.c ---- */

void client_init(struct puncher *p);
void client_begin(struct puncher *p);
void client_fini(struct puncher *p); /* sends and awaits nothing any more */
void client_sampled(struct puncher *p);
void client_turn(struct puncher *p);

/* The probes were in vain: true if it tries once more. */
bool client_again(struct puncher *p);

void server_init(struct puncher *p);
void server_begin(struct puncher *p);
void server_fini(struct puncher *p);
void server_sampled(struct puncher *p);
void server_turn(struct puncher *p);

#endif
