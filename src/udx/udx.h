/* SPDX-License-Identifier: ISC */
/*
 * udx.h - reliable streams over UDP, protocol 05.
 *
 * One struct udx holds all streams of a node, on all its sockets. A packet is
 * matched to a stream by the stream's own 32-bit id; its source address decides
 * whether it is accepted. Datagrams arrive by udx_recv() and leave through the
 * world's transmit batch. Acknowledgements and data are sent when the node's
 * timers run next, so that everything received in one wake-up shares them, and
 * streams take turns.
 *
 * Events of a stream are kept as bits until udx_poll() returns them; there are
 * no callbacks. Payloads are opaque: encryption is done above. Times are the
 * world's microseconds, sizes are bytes. Uses: base.
 */
#ifndef UDX_UDX_H
#define UDX_UDX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/core.h"
#include "base/wire.h"

struct udx;
struct udx_stream;

enum {
	UDX_HEADER_LEN = 20,
	UDX_MTU_BASE = 1200, /* of the IP packet, protocol 05 §1 */
	UDX_MTU_MAX = 1500,
	UDX_SPACE_MIN = 1024, /* less space than this is reported as none */
};

/*
 * Returns a new struct udx, or NULL if memory is short. Borrows the core and
 * what it points to for its life.
 */
struct udx *udx_new(const struct core *core);

/* Returns what one stream takes at most beyond the memory of all streams, and
 * what all of them together take for what they have received, with what is left
 * of closed ones. */
size_t udx_stream_bytes_max(void);
size_t udx_bytes_max(const struct limits *l);

/* Frees it and its streams; sends their peers a DESTROY where possible. */
void udx_free(struct udx *u);

/* ---- input from the world ---- */

/* Returned by udx_recv() for a datagram that is not UDX's, protocol 05 §2. */
enum { UDX_NOT_MINE = 1 };

/*
 * Handles a datagram. Returns 0, UDX_NOT_MINE unless it carries UDX's magic
 * and the id of a stream, or why it was dropped (negative, counted).
 */
int udx_recv(struct udx *u, const struct dgram *dg);

/* Resumes the streams of a socket that was full. */
void udx_writable(struct udx *u, int sock);

/*
 * Restarts the timeouts of all streams after the machine slept for so long:
 * what expired meanwhile is no sign of loss.
 */
void udx_slept(struct udx *u, uint64_t us);

/* Closes the streams of a socket that is about to be closed (ERR_SOCKET). */
void udx_socket_closed(struct udx *u, int sock);

/* ---- events: drain them after any call here ---- */

enum udx_event {
	UDX_EV_READABLE = 1,  /* udx_peek() returns bytes, or the peer ended */
	UDX_EV_WRITABLE = 2,  /* there is space again */
	UDX_EV_DRAINED = 4,   /* all that was written is acknowledged */
	UDX_EV_MESSAGE = 8,   /* udx_next_message() returns one */
	UDX_EV_SOURCE = 16,   /* a packet from another address, udx_source() */
	UDX_EV_MIGRATED = 32, /* the migration is complete, protocol 05 §9 */
	UDX_EV_CLOSED = 64,   /* udx_status() has the reason; free it */
	UDX_EV_STALLED = 128, /* a timeout: the peer does not answer */
};

/* Returns the next stream with events and takes them, or returns NULL. */
struct udx_stream *udx_poll(struct udx *u, unsigned *events);

/* ---- life of a stream ---- */

/* Where a stream sends: our socket, the peer's address, the peer's id. */
struct udx_path {
	int sock;
	struct addr to;
	uint32_t id;
};

/*
 * Returns a new stream with a random id, not connected: packets for it are
 * accepted from any address, reported as UDX_EV_SOURCE and acknowledged once
 * it is connected (protocol 05 §3). Returns NULL and sets *err to ERR_LIMIT or
 * ERR_MEMORY on failure. owner is opaque here.
 */
struct udx_stream *udx_stream_new(struct udx *u, void *owner, int *err);
void *udx_owner(const struct udx_stream *s);
void udx_set_owner(struct udx_stream *s, void *owner);
uint32_t udx_id(const struct udx_stream *s);

/*
 * Connects a stream. Returns 0, ERR_PORT (port 0), ERR_EXISTS (it is connected)
 * or ERR_CLOSED.
 */
int udx_connect(struct udx_stream *s, const struct udx_path *path);

/*
 * Migrates a connected stream to another path (protocol 05 §9); sequence
 * numbers go on. What is in flight is retransmitted over the new path (pitfall
 * D8). Packets from the old path are accepted until UDX_EV_MIGRATED. A
 * migration under way is replaced by this one. Returns 0, ERR_PORT or
 * ERR_CLOSED.
 */
int udx_migrate(struct udx_stream *s, const struct udx_path *path);

/*
 * Sends a probe of what is in flight now, not when the backed-off timeout
 * expires: the owner knows that the peer is reachable again.
 */
void udx_probe_now(struct udx_stream *s);

/*
 * Accepts packets from this address too, on any socket: a candidate path, or a
 * blind relay. The oldest of UDX_SOURCES_MAX is dropped.
 */
void udx_allow_source(struct udx_stream *s, const struct addr *a);

/*
 * Accepts packets from any port of this host too, until udx_forget_hosts(): for
 * the time in which the peer's port is not known. Hosts beyond UDX_HOSTS_MAX
 * are not added.
 */
void udx_allow_host(struct udx_stream *s, const struct addr *host);
void udx_forget_hosts(struct udx_stream *s);

/*
 * Sends one HEARTBEAT over another path, also if not connected: a peer that is
 * waiting there connects to its source, or acknowledges. Nothing is
 * retransmitted; this is how candidate paths are probed.
 */
void udx_probe_path(struct udx_stream *s, const struct udx_path *path);

/*
 * Copies the last source address that was not the path's, and the socket on
 * which that packet arrived. Returns false if there was none.
 */
struct udx_source {
	struct addr from;
	int sock;
	bool accepted; /* the packet was processed */
};

bool udx_source(const struct udx_stream *s, struct udx_source *out);

/* Sets a round-trip time known from elsewhere, before connect. */
void udx_set_rtt(struct udx_stream *s, uint64_t rtt_us);

/*
 * Sets whether timeouts leave the stream open, because its owner looks for a
 * path to the peer and decides when to give up.
 */
void udx_ignore_timeouts(struct udx_stream *s, bool on);

/*
 * Retransmits all that is in flight now: the path to the peer has opened since
 * it was sent.
 */
void udx_retransmit(struct udx_stream *s);

/* Sends HEARTBEATs while idle, protocol 05 §11; 0: none (the default). */
void udx_set_keepalive(struct udx_stream *s, uint32_t ms);

/*
 * Ends our side after what was written. The stream closes (UDX_EV_CLOSED, err
 * 0) when both sides have ended and all is acknowledged.
 */
void udx_end(struct udx_stream *s);

/*
 * Frees a stream. Unless it is closed, a few DESTROYs are sent to its peer, and
 * what was not sent is lost. Its id is not used again soon.
 */
void udx_stream_free(struct udx_stream *s);

/*
 * Ties two streams of a blind relay together, protocol 05 §13: packets for one
 * leave through the other with only the id rewritten. Both may be connected
 * later; a few packets are kept until then. Free both to untie them.
 */
void udx_relay(struct udx_stream *a, struct udx_stream *b);
bool udx_is_relay(const struct udx_stream *s);

/* Drops packets for this half that come from another host than this one: their
 * sender has guessed the id. A peer that has migrated sends from another port
 * of its host. */
void udx_relay_bind(struct udx_stream *s, const struct addr *host);

/* Decides whether a packet for a half of a relay is forwarded. */
struct udx_meter {
	/* Returns false if the packet, of so many bytes with its headers as it
	 * is received and as it would be sent, is dropped. Calls no function
	 * of udx.h. */
	bool (*admit)(struct udx_meter *m, size_t received, size_t sent);
};

/* Asks the meter, which is borrowed until the stream is freed, before packets
 * for this half are forwarded. */
void udx_relay_set_meter(struct udx_stream *s, struct udx_meter *m);

/* ---- bytes out ---- */

/*
 * Returns how many bytes may be written now: UDX_SPACE_MIN at least, so that a
 * frame of the layer above fits, or 0: wait for UDX_EV_WRITABLE.
 */
size_t udx_space(struct udx_stream *s);

/*
 * Returns contiguous space for n bytes in the send buffer, or NULL if memory is
 * short or the stream closed. n may exceed a udx_space() that is not 0, so that
 * frames need not be split. udx_commit() appends the first len bytes; it must
 * be the next call for this stream.
 */
uint8_t *udx_reserve(struct udx_stream *s, size_t n);
void udx_commit(struct udx_stream *s, size_t len);

/* ---- bytes in ---- */

/*
 * Returns the first bytes of what was received in order and is not detached:
 * as many as lie in one piece. The reader may change them (to decrypt in
 * place). They stay where they are until consumed.
 */
struct udx_bytes {
	uint8_t *p;
	size_t len; /* 0: nothing */
};

struct udx_bytes udx_peek(struct udx_stream *s);

/* Returns how many bytes there are in all pieces. */
size_t udx_readable(const struct udx_stream *s);

/*
 * Stores the pieces that make up n of the bytes, from `skip` on. Returns their
 * number, or 0 if they are more than max.
 */
unsigned udx_pieces(const struct udx_stream *s, size_t skip, size_t n,
    struct bytes *out, unsigned max);

/* Copies n of the bytes, from `skip` on. */
void udx_copy(struct udx_stream *s, size_t skip, uint8_t *out, size_t n);

/*
 * Frees the memory of the first n bytes, which the reader has taken to memory
 * of its own. They must be consumed like others, before all that follow, and
 * occupy the receive window until then.
 */
void udx_detach(struct udx_stream *s, size_t n);

/* Removes the first n bytes; the receive window opens by as many. */
void udx_consume(struct udx_stream *s, size_t n);

/*
 * Sets the receive window, in bytes of memory; 0: the default, which grows with
 * the rate of the reader. A small one bounds what a peer can make us hold for a
 * reader that may never come.
 */
void udx_set_window(struct udx_stream *s, uint32_t bytes);

/* Returns how many more bytes the peer may send before some are consumed. */
size_t udx_window(const struct udx_stream *s);

/* Returns true if the peer has ended and everything was consumed. */
bool udx_ended(const struct udx_stream *s);

/* ---- unordered messages, protocol 05 §1 ---- */

/*
 * Queues a copy of a message. Returns 0, ERR_TOO_BIG for the path, ERR_FULL,
 * ERR_MEMORY or ERR_CLOSED.
 */
int udx_send_message(struct udx_stream *s, const void *p, size_t len);

/*
 * Sends one message over another path, also if not connected, now or never.
 * Returns 0, ERR_TOO_BIG for any path, ERR_FULL or ERR_CLOSED.
 */
int udx_send_message_via(struct udx_stream *s, const struct udx_path *path,
    const void *p, size_t len);

/* A received message, borrowed until the next call. */
struct udx_message {
	struct bytes payload;
	struct addr from;
	int sock;
	bool validated; /* it came from the path or an allowed source */
};

/* Removes the oldest message. Returns false if there is none. */
bool udx_next_message(struct udx_stream *s, struct udx_message *out);

/* ---- status ---- */

struct udx_status {
	bool connected, ended_here, ended_there, closed;
	int err; /* once closed: 0, ERR_RESET, ERR_TIMEOUT, ERR_SOCKET */
	struct udx_path path;
	uint32_t mtu; /* IP packet */
	uint64_t srtt_us, rttvar_us, min_rtt_us, rto_us;
	uint64_t cwnd, in_flight; /* bytes */
	uint64_t waiting;         /* bytes written, not yet acknowledged */
	bool unacked;  /* a packet was sent, or is lost, and not acknowledged */
	uint64_t rate; /* of pacing, bytes a second */
	uint64_t bytes_out, bytes_in;
	uint64_t packets_out, packets_in, lost, resent;
	uint64_t path_packets_in; /* on the current path since the migration */
};

void udx_status(const struct udx_stream *s, struct udx_status *out);

/* Returns the number of streams that are not closed. */
uint32_t udx_streams(const struct udx *u);

/* Returns the bytes that the buffers of all streams hold. */
uint64_t udx_buffered(const struct udx *u);

#endif
