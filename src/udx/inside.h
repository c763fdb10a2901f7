/* SPDX-License-Identifier: ISC */
/*
 * inside.h - the insides of struct udx, for the files of this room alone.
 *
 * Who does what:
 *	udx.c	    life of the room, whose packet it is, what is told
 *	stream.c    life of a stream, what may be asked, bytes in and out
 *	turn.c	    who sends when: one timer for all, fair turns
 *	alarm.c	    the one timer of a stream, and what it stands for
 *	recv.c	    what a packet brings: data, the end, the window
 *	ack.c	    what it acknowledges
 *	loss.c	    what is lost: RACK, tail probes, timeouts
 *	flight.c    the packets sent and not yet acknowledged
 *	send.c	    which packet leaves next
 *	burst.c	    packets written into the world's batch
 *	path.c	    who may speak for a stream, and changing where it goes
 *	message.c   unordered messages, in and out
 *	relay.c	    two streams tied together
 *	linger.c    what stays of a stream that is gone
 * Pieces that know no stream: packet, rtt, mtu, cc (cc_model, cubic), sendbuf,
 * fifo, reorder.
 *
 * Timers:
 *	udx.turn      somebody wants to send; armed for at once
 *	udx.sweep     buffers that lie empty go back; armed while there are any
 *	linger.timer  the next step of a stream that is gone
 *	stream.alarm  the earliest of enum alarm_kind; none while idle
 */
#ifndef UDX_INSIDE_H
#define UDX_INSIDE_H

#include <sys/queue.h>

#include "udx/cc.h"
#include "udx/fifo.h"
#include "udx/mtu.h"
#include "udx/packet.h"
#include "udx/reorder.h"
#include "udx/rtt.h"
#include "udx/sendbuf.h"
#include "udx/udx.h"

#define UDX_MS UINT64_C(1000)

enum {
	/* A peer's window before its first packet, protocol 05 §7. */
	PEER_WINDOW_FIRST = 4 << 20,
	WINDOW_FIRST = 256 << 10, /* of ours, until tuned */
	/* What a stream may hold even if all of them hold too much. */
	STREAM_SHARE = 16 << 10,
	FLIGHT_MAX = 1 << 16, /* packets sent and not acknowledged */
	EXPIRIES_MAX = 7,     /* timeouts in a row, protocol 05 §6 */
	MESSAGES_MAX = 64,    /* waiting, in each direction */
	EARLY_RELAYED = 8,    /* packets kept for a partner, protocol 05 §14 */
	QUANTUM = 64 << 10,   /* bytes in one turn of a stream */
	TURN_BYTES = 1 << 20, /* in one run of turns; then others read */
};

TAILQ_HEAD(stream_list, udx_stream);
STAILQ_HEAD(message_queue, message);

/* ---- flight.c ---- */

enum sent_state { SENT_OUT, SENT_LOST, SENT_SACKED };

/* A packet sent; its number is its place. */
struct sent {
	struct cc_packet cc;
	struct cut from; /* its payload in the send buffer */
	/* Numbers, in the list of its state; of a sacked one, next is where the
	 * run of sacked ones that begins here ends, or goes on. */
	uint32_t prev, next;
	uint16_t len; /* of payload */
	uint8_t type; /* DATA, END or both */
	uint8_t pad;  /* not 0: an MTU probe, while it was sent once */
	uint8_t state;
	bool again;  /* was sent more than once */
	bool silent; /* tells no round-trip time: the machine slept */
};

/* Packets out, by time of sending, or lost ones, by number. */
struct sent_list {
	uint32_t first, last, len;
};

struct flight {
	struct sent *ring; /* by number modulo cap, a power of two */
	uint32_t cap;
	uint32_t una, nxt;          /* oldest not acknowledged, next to send */
	struct sent_list out, lost; /* of those not acknowledged */
	uint32_t sacked;            /* packets acknowledged out of turn */
	uint64_t bytes;             /* of packets out, with header */
	uint64_t unacked;           /* payload of packets out or lost */
};

static inline struct sent *
flight_at(const struct flight *f, uint32_t seq)
{
	return &f->ring[seq & (f->cap - 1)];
}

static inline uint32_t
flight_len(const struct flight *f)
{
	return f->nxt - f->una;
}

static inline uint32_t
sent_bytes(const struct sent *p)
{
	return (uint32_t)PACKET_HEADER + p->pad + p->len;
}

/* Room for one more packet; ERR_LIMIT or ERR_MEMORY. */
int flight_reserve(struct flight *f);

/* The packet with number nxt is out now; the rest of it is zero. */
struct sent *flight_push(struct flight *f, uint16_t len, uint8_t pad);

/* A packet changes its state; LOST goes to the end of its list. */
void flight_move(struct flight *f, uint32_t seq, enum sent_state to);

/* The oldest packet is done with; it must be acknowledged. */
void flight_pop(struct flight *f);
void flight_fini(struct flight *f);

/* ---- a stream ---- */

/* What the alarm of a stream may stand for. */
enum alarm_kind {
	ALARM_LOSS,    /* tail probe or timeout, as loss.c set it */
	ALARM_REORDER, /* packets will count as lost */
	ALARM_PACE,    /* more may leave */
	ALARM_WINDOW,  /* the peer's window is asked for */
	ALARM_KEEP,    /* idle for the keepalive's time */
	ALARM_KINDS,
};

struct message {
	STAILQ_ENTRY(message) link;
	struct addr from;
	int sock;
	bool validated;
	uint16_t len;
	uint8_t bytes[];
};

/* Packets for a partner that is not connected yet. */
struct early_packet {
	uint16_t len;
	uint8_t bytes[];
};

struct relay {
	struct udx_stream *partner;
	struct early_packet *early[EARLY_RELAYED];
	uint8_t early_len;
	/* Of the packets that came for this half: what its own peer expects
	 * next, and what comes next from there. */
	uint32_t seen_ack, seen_seq;
};

struct udx_stream {
	UT_hash_handle hh;
	struct udx *udx;
	void *owner;
	uint32_t id;
	unsigned events;
	TAILQ_ENTRY(udx_stream) all_link, ready_link, told_link, warm_link;
	bool is_ready, is_told, is_warm;
	bool touched; /* its buffers were used since the last sweep */
	bool blocked; /* waits for its socket; then it is in that list */

	/* Where it goes, and who may speak for it. */
	bool connected, moving, has_source;
	struct udx_path path;
	struct addr old_to; /* while moving */
	uint32_t moved_seq; /* acknowledged: the move is done */
	struct addr allowed[UDX_SOURCES_MAX]; /* newest first */
	uint8_t allowed_len;
	struct udx_source source;
	struct relay *relay; /* or NULL */

	/* In. */
	uint32_t rcv_nxt;
	bool ack_due, end_known, ended_there;
	uint32_t end_seq; /* of the peer's END, if known */
	struct fifo in;
	struct reorder early;
	uint32_t window;     /* bytes that may lie here */
	uint32_t advertised; /* free, as the peer was told last */
	uint64_t tuned_us, tuned_bytes;

	/* Out. */
	struct sendbuf out;
	struct flight flight;
	uint32_t rwnd, wnd_seq,
	    wnd_ack; /* of the peer, and from which packet */
	bool end_wanted, end_sent, ended_here; /* ended_here: acknowledged */
	bool full;                             /* the writer waits */
	bool undrained;
	bool heartbeat_due;

	/* When. */
	struct timer alarm;
	uint64_t due[ALARM_KINDS]; /* or WORLD_NEVER */
	uint64_t sent_us;          /* anything */
	uint64_t keep_us;          /* 0: no keepalive */
	uint64_t pace_us, pace_left;
	uint64_t pace_due_us; /* when more may leave; 0: it does not wait */
	struct rtt rtt;
	struct cc cc;
	struct mtu mtu;

	/* What is lost, loss.c. */
	uint64_t rack_sent_us, rack_rtt_us; /* of the latest that arrived */
	uint32_t rack_seq;
	uint32_t highest; /* number after the highest that arrived */
	bool reordering, recovering, timing; /* timing: for a timeout */
	bool new_path;  /* nothing was acknowledged over it yet */
	uint8_t probes; /* of the tail, unanswered */
	bool unsure;    /* the last answer was to something sent twice */
	uint32_t recover_seq;
	uint8_t expiries, unanswered;
	bool patient;         /* timeouts do not end it */
	bool heard;           /* anything since the last timeout */
	bool backed_off;      /* since the last progress */
	uint8_t reorder_mult; /* quarters of min_rtt */
	/* Of the acknowledgements read in this wake-up. */
	bool acked, progressed;
	uint64_t sample_us, sample_sent_us;

	struct message_queue in_messages, out_messages;
	uint16_t in_messages_len, out_messages_len;
	struct message *lent; /* to the reader */

	bool closed;
	int err;
	uint64_t bytes_in, bytes_out, packets_in, packets_out, lost, resent;
};

/* What stays when a stream is gone, see linger.c. */
struct linger;
TAILQ_HEAD(linger_list, linger);

struct udx {
	struct world *world;
	struct timers *timers;
	struct stats *stats;
	const struct limits *limits;
	const struct hash_key *key;
	struct udx_stream *streams; /* alive, by id */
	struct udx_stream *recent;  /* found last */
	struct stream_list all, ready, blocked, told, warm;
	struct timer turn, sweep;
	struct stock stock;
	struct linger *lingering;   /* by id */
	struct linger_list lingers; /* oldest first */
};

static inline uint64_t
udx_now(const struct udx_stream *s)
{
	return s->udx->world->now_us;
}

/* What IP and UDP add to a packet, protocol 05 §1. */
static inline uint16_t
addr_overhead(const struct addr *to)
{
	return to->family == ADDR_V6 ? 48 : 28;
}

static inline uint16_t
path_overhead(const struct udx_stream *s)
{
	return addr_overhead(&s->path.to);
}

/* The most payload that a packet takes now. */
static inline uint16_t
max_payload(const struct udx_stream *s)
{
	return (uint16_t)(s->mtu.size - path_overhead(s) - PACKET_HEADER);
}

/* ---- udx.c ---- */

struct udx_stream *udx_find(struct udx *u, uint32_t id);

/* Something for udx_poll(). */
void udx_tell(struct udx_stream *s, unsigned events);

/* Its buffers are empty: they go if it stays so. */
void udx_cools(struct udx_stream *s);

/* ---- stream.c ---- */

/* Over: nothing is sent or taken any more; what has arrived can be read. */
void stream_close(struct udx_stream *s, int err);

/* Gives back the memory of buffers in which nothing lies. */
void stream_cool(struct udx_stream *s);

/* Both sides have ended: closes if all is acknowledged. */
void stream_check_end(struct udx_stream *s);

/* What was written moves on: tells the writer if there is room again. */
void stream_released(struct udx_stream *s);

/* ---- turn.c ---- */

void turn_init(struct udx *u);

/* The stream has, or may have, something to send. */
void turn_want(struct udx_stream *s);

/* Its socket is full: it waits for udx_writable(). */
void turn_block(struct udx_stream *s);
void turn_forget(struct udx_stream *s);

/* ---- alarm.c ---- */

void alarm_init(struct udx_stream *s);
void alarm_set(struct udx_stream *s, enum alarm_kind kind, uint64_t due_us);
void alarm_stop(struct udx_stream *s);

/* ---- recv.c ---- */

/* A packet of a source that may speak. */
void recv_packet(struct udx_stream *s, const struct packet *p);

/* Bytes that the peer may still send. */
uint32_t recv_window(const struct udx_stream *s);

/* n bytes were read: the window may grow, and the peer be told. */
void recv_consumed(struct udx_stream *s, size_t n);

/* ---- ack.c ---- */

/* False if it acknowledges what was never sent. */
bool ack_packet(struct udx_stream *s, const struct packet *p);

/* ---- loss.c ---- */

/* All acknowledgements of this wake-up were read. */
void loss_settle(struct udx_stream *s);

/* Data leaves: the timer of the tail. */
void loss_sent(struct udx_stream *s);

/* A packet arrived; before its state changes. */
void loss_arrived(struct udx_stream *s, uint32_t seq, const struct sent *p);

/* What waits for the alarm. */
void loss_timer(struct udx_stream *s);
void loss_reordered(struct udx_stream *s);

/* What is due is not taken for loss: the path is given its time anew. */
void loss_forgive(struct udx_stream *s);

/* A packet of ours must be answered at once: the path is another. */
void loss_probe(struct udx_stream *s);

/* The same, as the stream goes another way: the silence of the old one says
 * nothing of it. */
void loss_new_path(struct udx_stream *s);

/* ---- send.c ---- */

/*
 * Sends what may leave, up to QUANTUM; bytes written are added to *sent.
 * True if it wants another turn at once.
 */
bool send_turn(struct udx_stream *s, size_t *sent);

/* One packet regardless of windows: new data, or the last one again. */
void send_probe(struct udx_stream *s);

/* What waits for the alarm. */
void send_window_probe(struct udx_stream *s);
void send_keepalive(struct udx_stream *s);

/* ---- burst.c ---- */

/* Packets of one stream on their way into the batch. */
struct burst {
	struct udx_stream *stream;
	uint8_t *buf;
	size_t cap, used;
	uint16_t segment;
	bool fragment; /* the next packet is larger than the path */
};

/*
 * Room for a packet of size bytes; about `expected` of this size will follow.
 * NULL: the socket is full, and the stream waits for it.
 */
uint8_t *burst_room(struct burst *b, size_t size, size_t expected);
void burst_end(struct burst *b);

/* Writes the header of a packet of this stream: id, window, ack. */
void burst_header(struct udx_stream *s, uint8_t *out, uint8_t type,
    uint8_t offset, uint32_t seq);

/* What carries no payload, with the ranges if there are any. False: the
 * socket is full. */
bool burst_ack(struct udx_stream *s);
bool burst_heartbeat(struct udx_stream *s);

/* ---- path.c ---- */

enum path_verdict { PATH_OWN, PATH_TAKEN, PATH_STRANGER };

/* May this address speak for the stream? Tells of those that are not its. */
enum path_verdict path_judge(struct udx_stream *s, const struct dgram *dg);

/* The oldest unacknowledged packet has moved on: a change may be done. */
void path_check_moved(struct udx_stream *s);

/* ---- message.c ---- */

void message_in(struct udx_stream *s, const struct packet *p,
    const struct dgram *dg, bool proven);

/* Sends what waits. False: the socket is full. */
bool message_flush(struct udx_stream *s, struct burst *b);
void messages_fini(struct udx_stream *s);

/* ---- relay.c ---- */

/* A datagram for a stream of a relay. */
int relay_recv(struct udx_stream *s, const struct dgram *dg);

/* The stream is connected now: what was kept for it leaves. */
void relay_connected(struct udx_stream *s);

/*
 * The stream goes: its partner ends, too. Both peers are told, unless one of
 * them has told the other (ERR_RESET).
 */
void relay_part(struct udx_stream *s, int err);
void relay_free(struct udx_stream *s);

/* ---- linger.c ---- */

enum linger_kind {
	LINGER_ENDED,     /* well: its last packets are acknowledged again */
	LINGER_DESTROYED, /* in the middle: the peer is told, a few times */
};

void linger_init(struct udx *u);

/*
 * Remembers a connected stream that is gone; seq and ack are those of the
 * packets that speak for it.
 */
void linger_add(
    struct udx_stream *s, enum linger_kind kind, uint32_t seq, uint32_t ack);

/* A packet for a stream that is not alive: 0, UDX_NOT_MINE, or an error. */
int linger_recv(struct udx *u, uint32_t id, const struct dgram *dg);
bool linger_has(const struct udx *u, uint32_t id);
void linger_socket_closed(struct udx *u, int sock);
void linger_fini(struct udx *u);

#endif
