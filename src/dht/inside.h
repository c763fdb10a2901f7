/* SPDX-License-Identifier: ISC */
/*
 * inside.h - the insides of struct dht, for the files of this room alone.
 *
 * Who does what:
 *	dht.c        life, datagrams in, what may be asked
 *	serve.c      answers to others
 *	request.c    own requests: tids, retries, the congestion window
 *	query.c      walks and commits
 *	candidate.c  who gets into the table, and who is checked out of it
 *	join.c       bootstrap list and bootstrap rounds
 *	promote.c    own address, firewall probe, ephemeral and persistent
 *	tick.c       what is done every five seconds
 */
#ifndef DHT_INSIDE_H
#define DHT_INSIDE_H

#include <sys/queue.h>

#include "dht/closest.h"
#include "dht/dht.h"
#include "dht/guard.h"
#include "dht/health.h"
#include "dht/mapping.h"
#include "dht/query.h"
#include "dht/rtt.h"
#include "dht/sampler.h"
#include "dht/steps.h"
#include "dht/table.h"
#include "dht/token.h"
#include "dht/window.h"

/* Ticks (5 s), protocol 01 §17. */
enum {
	TICK_MS = 5000,
	TICKS_RECENT = 12,       /* 1 min */
	TICKS_OLD = 360,         /* 30 min */
	TICKS_SILENT = 180,      /* 15 min unheard: worth a ping */
	TICKS_DOUBT = 240,       /* 20 min: may lose its place to a newcomer */
	TICKS_STABLE = 240,      /* 20 min to the first promotion check */
	TICKS_MORE_STABLE = 720, /* 1 h to any later one */
	TICKS_PING_SOME = 8,     /* 40 s */
	TICKS_SMALL_REFRESH = 64,
	TICKS_REFRESH = 180, /* 15 min; the reference: 5 */
};

enum {
	REQUEST_WAIT_MS = 1000, /* where no adaptive wait will do */
	REQUEST_SENDS = 4,      /* 3 retries, protocol 01 §9.2 */
	QUERY_SENDS = 6,        /* 5 retries */
	SWAPS_MAX = 3,          /* full rows being checked at a time */
	HINT_CHECKS_MAX = 10,   /* down hints being checked at a time */
	HINTS_PER_TICK = 50,    /* down hints sent */
	PROBE_NODES = 5,        /* asked by the firewall probe */
	IDLESS_MAX = 8,         /* repliers without id that are sampled */
	PING_BYTES = 43,        /* of a PING with an id, the longest there is */
};

TAILQ_HEAD(request_list, request);
TAILQ_HEAD(query_list, query);
TAILQ_HEAD(delayed_list, delayed);
TAILQ_HEAD(check_list, check);

struct dht_socket {
	int handle; /* or WORLD_NO_SOCK */
	struct addr bound;
};

/* Own requests under way. */
struct requests {
	struct request *by_tid;
	struct request_list waiting; /* for the congestion window */
	uint32_t len;
	struct window window;
	struct timer flush; /* when the window moves on, while some wait */
	struct rtt rtt;
	uint32_t replies, timeouts; /* since the last tick, for the health */
};

/* Why a node is being pinged, see candidate.c. */
enum check_kind {
	CHECK_CANDIDATE, /* spoke, has not answered yet; one send */
	CHECK_NODE,      /* of the table; goes if it does not answer */
	CHECK_HINT,      /* the same, because somebody called it down */
	CHECK_SWAP,      /* the same, and a newcomer takes its place */
	CHECK_KINDS,
};

enum join_state { JOIN_RESOLVE, JOIN_WALK, JOIN_CHECK, JOIN_DONE };

/* The way into the network, see join.c. */
struct join {
	struct bootstrap_entry *entries;
	struct addr *addrs; /* of the entries; family none: not known */
	size_t len;
	struct addr *known; /* good nodes of an earlier run */
	size_t known_len;
	enum join_state state;
	uint32_t resolving; /* names asked for */
	uint8_t walks;
	bool walking;
	bool asked_all_names;
	bool quick_asked, quick_pending, quick_ok; /* protocol 01 §12.4 */
};

/* The firewall probe, protocol 01 §12.3. */
struct probe {
	bool running;
	bool firewall_only;
	uint8_t asked, pending, counted;
	struct sampler sampler;
	struct addr before; /* the address when it began */
};

/*
 * What every datagram touches comes first and stands together, what is seldom
 * looked at last: one process may run thousands of these.
 */
struct dht {
	/* From the core, without the way through it. */
	struct world *world;
	struct timers *timers;
	struct stats *stats;
	const struct limits *limits;
	uint64_t next_tick_us;
	uint32_t tick;
	bool bootstrapped, ephemeral, firewalled, closing;
	struct addr own; /* the address behind our id; none: id is random */
	struct dht_socket server, client;
	struct hash_key hash_key; /* of its own, not the one of the core */
	struct tokens tokens;
	struct guard guard;
	struct requests requests;

	struct query_list queries, held; /* running; waiting for bootstrap */
	uint32_t queries_len;
	struct check_list checks;       /* nodes and candidates being pinged */
	uint32_t checking[CHECK_KINDS]; /* how many of each kind */
	struct delayed_list delayed;    /* pings to be answered later */
	struct pool delayed_pool;

	struct timer tick_timer;
	/* Ticks at which: the table is refreshed; an ephemeral node asks for
	 * promotion; a table that is still small is refreshed. */
	uint32_t refresh_at, stable_at, small_at;
	uint32_t small_wait;
	uint32_t hints_left;
	bool refreshing;    /* a refresh is under way */
	uint32_t refreshes; /* begun so far */
	struct health health;
	unsigned events;

	struct table table;
	struct sampler sampler;
	struct mapping mapping;
	struct addr last_host; /* as of the last full check */
	struct probe probe;
	uint32_t idless[IDLESS_MAX]; /* who has no id and was sampled, hashed */
	uint32_t idless_len;
	struct join join;
	struct dht_config config;
};

/* ---- dht.c ---- */

/* The socket that own requests leave from. */
static inline const struct dht_socket *
dht_active(const struct dht *d)
{
	return d->firewalled ? &d->client : &d->server;
}

/* The id to put into a message that leaves from this socket, or NULL. */
const uint8_t *dht_id_for(const struct dht *d, int sock);

/*
 * The id that a message from this address claims, if the address proves it,
 * else NULL. Hashes nothing if the table knows the node.
 */
const uint8_t *dht_prove_id(
    const struct dht *d, const uint8_t *claimed, const struct addr *from);

/* The limits of shares, or NULL while this network is private. */
const struct limits *dht_shares(const struct dht *d);

/* Commits the room that was reserved, and counts. */
int dht_commit(struct dht *d, size_t len);

/* Sends a copy; len 0 is a message that did not fit. */
int dht_send(struct dht *d, const struct dgram_meta *meta, const uint8_t *buf,
    size_t len);

/* ---- serve.c ---- */

int serve_request(
    struct dht *d, const struct dgram *dg, struct dht_request *rq);
void serve_init(struct dht *d);
/* Forgets what was to be answered later from this socket. */
void serve_socket_closed(struct dht *d, int sock);
void serve_fini(struct dht *d);

/* ---- request.c ---- */

struct request {
	UT_hash_handle hh;
	TAILQ_ENTRY(request) link; /* while waiting */
	struct dht *dht;
	struct timer timer;
	struct addr to;
	int sock;
	uint16_t tid;
	uint8_t sent, sends_max;
	bool waiting;
	bool has_id; /* the node asked is believed to have this id */
	uint8_t id[ID_LEN];
	uint32_t timeout_ms; /* flat; 0: adaptive */
	bool doubling;
	uint64_t first_us, sent_us;
	struct dht_done done;
	void (*missed)(void *owner); /* a wait passed in vain; or NULL */
	uint16_t len;
	uint8_t bytes[];
};

/* What request.c needs beyond struct dht_call. */
struct request_extra {
	const uint8_t *id; /* expected, or NULL */
	int sock;          /* WORLD_NO_SOCK: the active one */
	void (*missed)(void *owner);
};

void requests_init(struct dht *d);
/* Ends all with this error; each completion is called. */
void requests_end(struct dht *d, int err);
/* The same with ERR_CANCELLED for those that leave from this socket. */
void requests_socket_closed(struct dht *d, int sock);
void requests_fini(struct dht *d);

int request_start(struct dht *d, const struct dht_call *c,
    const struct request_extra *x, struct dht_done done, struct request **out);

/* A datagram that claims to be a reply: 0, or why it was dropped. */
int requests_reply(struct dht *d, const struct dgram *dg);

/* ---- query.c ---- */

/* Lets the queries begin that waited for the end of the bootstrap. */
void queries_release(struct dht *d);
void queries_end(struct dht *d, int err);

/* ---- candidate.c ---- */

/* A request with a proved id came from a node. source: its budget. */
void candidate_spoke(
    struct dht *d, const uint8_t *id, const struct addr *a, uint32_t source);

/*
 * A node answered a request of ours; id is proved or NULL. True if its view of
 * our address is to be taken: it is new in the table, or was not asked lately,
 * and the reply tells of the socket that own requests leave from (tells_us).
 */
bool candidate_answered(
    struct dht *d, const uint8_t *id, const struct addr *a, bool tells_us);

/* Pings a node of the table and removes it if it does not answer. */
void candidate_check(struct dht *d, uint32_t node, bool hinted);

/* Pings an address of an earlier run; it gets in if it answers. */
void candidate_try(struct dht *d, const struct addr *a);

/*
 * A reply with a wrong tid came from this address. After a few of them a
 * candidate there is given up: who forges its address might guess the tid.
 */
void candidate_guessed(struct dht *d, const struct addr *a);

/* A node did not answer a query: it leaves the table. */
void candidate_failed(struct dht *d, const uint8_t *id);
void candidates_fini(struct dht *d);

/* ---- join.c ---- */

int join_init(struct dht *d); /* 0 or ERR_MEMORY */
void join_fini(struct dht *d);
void join_start(struct dht *d);

/* Writes the known addresses of the list to out; returns how many. */
size_t join_addresses(const struct dht *d, struct addr *out, size_t max);

/* Looks names up again; for when nobody answers. */
void join_resolve(struct dht *d);

/* The state check ended; changed: firewalled, id or role are new. */
void join_checked(struct dht *d, bool changed);

/* ---- promote.c ---- */

void promote_init(struct dht *d);

/* A reply that tells our address, from a socket that own requests leave from.
 */
void promote_sample(struct dht *d, const struct addr *us);

/* A reply without id: one of the first few is a sample all the same. */
void promote_sample_idless(
    struct dht *d, const struct addr *from, const struct addr *us);

/* Forgets what others saw of our address; they are asked anew. */
void promote_forget(struct dht *d);

/* Asks a node to answer to the server socket; the request leaves from the
 * other. */
int promote_ping_nat(
    struct dht *d, const struct addr *to, uint8_t sends, struct dht_done done);

/* The state check, protocol 01 §12.2; join_checked() is told of its end. */
void promote_check(struct dht *d, bool firewall_only);

/* Falls back to ephemeral and starts to learn the own address anew. */
void promote_undo(struct dht *d);

/* ---- tick.c ---- */

void tick_init(struct dht *d);

/* Brings the count of ticks up to now; called wherever it is looked at. */
void tick_catch_up(struct dht *d);
void tick_arm(struct dht *d);
uint32_t tick_after_wakeup(uint32_t tick);

/* Background walk that renews a part of the table. */
void tick_refresh(struct dht *d);

#endif
