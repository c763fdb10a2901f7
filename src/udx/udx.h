/* SPDX-License-Identifier: ISC */
/*
 * udx.h - reliable streams over UDP, protocol 05.
 *
 * One struct udx holds all streams of a node, on all its sockets. A stream is
 * found by its own 32-bit id alone; who may speak for it is checked by source
 * address. Datagrams come in through udx_recv(), go out through the world's
 * batch; acknowledgements and data are sent when the node's timers run next,
 * so that everything read in one wake-up shares them and streams take turns.
 *
 * What happens to a stream is kept as bits until udx_poll() hands them out;
 * nothing is called back. Bytes are carried, not understood: encryption is the
 * room above. Uses: base.
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
	UDX_SOURCES_MAX =
	    12,              /* further addresses that may speak for a stream */
	UDX_SPACE_MIN = 1024, /* less free room than this counts as none */
};

/* Borrows the core and what it points to for its life. NULL if memory is short.
 */
struct udx *udx_new(const struct core *core);

/* Frees its streams too, telling their peers (DESTROY) where possible. */
void udx_free(struct udx *u);

/* ---- what the world tells ---- */

/* udx_recv() leaves the datagram to others, protocol 05 §2. */
enum { UDX_NOT_MINE = 1 };

/*
 * Takes a datagram that has UDX's magic and the id of a live stream. 0: dealt
 * with, UDX_NOT_MINE, or why it was dropped (negative, counted).
 */
int udx_recv(struct udx *u, const struct dgram *dg);

/* The world can send on this socket again after it was full. */
void udx_writable(struct udx *u, int sock);

/* The machine has slept this long: what is due is not taken for loss. */
void udx_slept(struct udx *u, uint64_t us);

/* A socket is about to be closed: its streams end with ERR_SOCKET. */
void udx_socket_closed(struct udx *u, int sock);

/* ---- what is told: drain after any call here ---- */

enum udx_event {
	UDX_EV_READABLE = 1, /* bytes, or the end, to be had by peek */
	UDX_EV_WRITABLE = 2, /* room again after there was none */
	UDX_EV_DRAINED = 4,  /* all that was written is acknowledged */
	UDX_EV_MESSAGE = 8,  /* udx_next_message() has something */
	UDX_EV_SOURCE = 16,  /* somebody new spoke, see udx_source() */
	UDX_EV_MIGRATED = 32,   /* a change of path is done, protocol 05 §9 */
	UDX_EV_CLOSED = 64,  /* over: udx_status() says why; to be freed */
	UDX_EV_STALLED = 128,  /* a timeout: what is under way finds no answer */
};

/* The next stream to which something happened, and what; NULL: nothing. */
struct udx_stream *udx_poll(struct udx *u, unsigned *events);

/* ---- life of a stream ---- */

/* Where a stream goes: our socket, the peer's address, the peer's id. */
struct udx_path {
	int sock;
	struct addr to;
	uint32_t id;
};

/*
 * A stream with an id drawn at random, not connected: packets for it are
 * taken from anybody and told as UDX_EV_SOURCE, acknowledged from connect on
 * (protocol 05 §3). ERR_LIMIT or ERR_MEMORY in *err where there is none.
 */
struct udx_stream *udx_stream_new(struct udx *u, void *owner, int *err);
void *udx_owner(const struct udx_stream *s);
void udx_set_owner(struct udx_stream *s, void *owner);
uint32_t udx_id(const struct udx_stream *s);

/* 0, or ERR_PORT (port 0), ERR_EXISTS (connected already). */
int udx_connect(struct udx_stream *s, const struct udx_path *path);

/*
 * Moves to another path, protocol 05 §9, keeping all sequence numbers. What is in
 * flight is sent again over the new path (pitfall D8); packets from the old one
 * are taken until the change is done. A change that is still under way ends
 * in this one: its path may be dead already.
 */
int udx_migrate(struct udx_stream *s, const struct udx_path *path);

/*
 * The peer is heard again, or hears: what is under way is tried at once, not
 * when the doubled timeout comes.
 */
void udx_probe_now(struct udx_stream *s);

/*
 * From now on packets from this address, on any socket, are taken as well:
 * a candidate path, or a blind relay. The oldest of UDX_SOURCES_MAX goes.
 */
void udx_allow_source(struct udx_stream *s, const struct addr *a);

/*
 * One HEARTBEAT over another path, connected or not: a peer that waits for us
 * there connects to where it comes from, or acknowledges. Nothing is expected
 * of it; how candidate paths are tried beside the one in use.
 */
void udx_probe_path(struct udx_stream *s, const struct udx_path *path);

/*
 * The last address from which a packet came that is not the path's, and the
 * socket it came in on; accepted says whether it was processed. False: none.
 */
struct udx_source {
	struct addr from;
	int sock;
	bool accepted;
};

bool udx_source(const struct udx_stream *s, struct udx_source *out);

/* A round-trip time known from elsewhere, for the first RTO; before connect. */
void udx_set_rtt(struct udx_stream *s, uint64_t rtt_us);

/*
 * While on, silence does not end the stream: its owner looks for a path to the
 * peer, and gives up by itself.
 */
void udx_ignore_timeouts(struct udx_stream *s, bool on);

/*
 * What is in flight went nowhere, for all its owner knows: the path to the peer
 * has opened since. All of it is sent again now.
 */
void udx_retransmit(struct udx_stream *s);

/* HEARTBEATs while idle, protocol 05 §11; 0: none (the default). */
void udx_set_keepalive(struct udx_stream *s, uint32_t ms);

/*
 * Ends our side after what was written. The stream closes by itself when both
 * sides have ended and all is acknowledged (UDX_EV_CLOSED, err 0).
 */
void udx_end(struct udx_stream *s);

/*
 * Frees the stream. Unless it is closed, its peer is told (DESTROY, a few
 * times) and what was not sent is lost. An id is not given out again soon.
 */
void udx_stream_free(struct udx_stream *s);

/*
 * Ties two streams of a relay together, protocol 05 §13: from now on packets for
 * one leave through the other, only the id rewritten. Both may be connected
 * later; a few packets are kept until then. To untie, free both.
 */
void udx_relay(struct udx_stream *a, struct udx_stream *b);

/* ---- bytes out ---- */

/*
 * How many bytes may be written now: at least UDX_SPACE_MIN, so that a frame
 * of the room above fits, or 0: wait for UDX_EV_WRITABLE.
 */
size_t udx_space(struct udx_stream *s);

/*
 * Room for n bytes in the send buffer, to be filled in place; NULL if memory is
 * short or the stream closed. Who writes what must not be cut may ask for more
 * than udx_space() while that is not 0. The first len of them go with commit,
 * which must be the next call for this stream.
 */
uint8_t *udx_reserve(struct udx_stream *s, size_t n);
void udx_commit(struct udx_stream *s, size_t len);

/* ---- bytes in ---- */

/*
 * All that has arrived in order, in one piece; len 0: nothing. The bytes are
 * the reader's to change (to decrypt in place) and stay until consumed, but
 * move as others arrive: ask again after any other call here.
 */
struct udx_bytes {
	uint8_t *p;
	size_t len;
};

struct udx_bytes udx_peek(struct udx_stream *s);

/* Gives the first n bytes of peek back; the window opens as they go. */
void udx_consume(struct udx_stream *s, size_t n);

/* How many more bytes the peer may send before some are consumed. */
size_t udx_window(const struct udx_stream *s);

/* The peer has ended and everything was consumed. */
bool udx_ended(const struct udx_stream *s);

/* ---- unordered messages, protocol 05 §1 ---- */

/* 0; ERR_TOO_BIG for the path; ERR_FULL; ERR_CLOSED. */
int udx_send_message(struct udx_stream *s, const void *p, size_t len);

/*
 * One message over another path, connected or not; at once, or not at all.
 * 0; ERR_TOO_BIG for any path; ERR_FULL; ERR_CLOSED.
 */
int udx_send_message_via(struct udx_stream *s, const struct udx_path *path,
    const void *p, size_t len);

/* A message and who sent it, borrowed until the next call; false: none. */
struct udx_message {
	struct bytes payload;
	struct addr from;
	int sock;
	bool validated; /* from the path or an allowed source */
};

bool udx_next_message(struct udx_stream *s, struct udx_message *out);

/* ---- what may be asked ---- */

struct udx_status {
	bool connected, ended_here, ended_there, closed;
	int err; /* once closed: 0, ERR_RESET, ERR_TIMEOUT, ERR_SOCKET */
	struct udx_path path;
	uint32_t mtu; /* IP packet */
	uint64_t srtt_us, rttvar_us, min_rtt_us, rto_us;
	uint64_t cwnd, in_flight; /* bytes */
	uint64_t waiting;         /* bytes written, not yet acknowledged */
	uint64_t rate;            /* of pacing, bytes a second */
	uint64_t bytes_out, bytes_in;
	uint64_t packets_out, packets_in, lost, resent;
};

void udx_status(const struct udx_stream *s, struct udx_status *out);

/* Streams alive, and bytes that all their buffers hold. */
uint32_t udx_streams(const struct udx *u);
uint64_t udx_buffered(const struct udx *u);

#endif
