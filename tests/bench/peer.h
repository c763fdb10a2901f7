/* SPDX-License-Identifier: ISC */
/*
 * peer.h - one end of the streams that the benchmark and the interop tests
 * look at: what it is told, and what it says. The words are the same for
 * streamer (ours), stream-js.js (the JavaScript packages) and tcp.
 *
 *	PROGRAM ROLE --here HOST:PORT --there HOST:PORT [options]
 *
 * ROLE
 *	send	 writes --bytes N bytes, or for --seconds N, to each stream,
 *		 then ends; reads what comes back
 *	receive	 reads to the end, writes --bytes N bytes back, ends
 *	echo	 writes back what it reads
 *	idle	 keeps its streams for --seconds N and says what they cost
 *
 * --streams N	      that many streams, on one socket (1)
 * --write N	      bytes of one write, or of a message (65519)
 * --messages N	      send: unordered messages instead of bytes
 * --abrupt N	      destroys the stream after N bytes, sent or received
 * --move N	      send: moves to another socket, at --move-port, after N
 * --follow	      moves to wherever the peer speaks from
 * --pause N	      receive: reads nothing for the first N ms
 * --keepalive N      empty frames after N ms
 * --swap	      the sender is the responder of the handshake
 * --every N	      a line each N ms with what has passed
 * --cc NAME	      tcp: congestion control
 *
 * No handshake is made: both ends know the same keys. Its input is one line,
 * the stream ids of its peer; it goes when that has come (tcp needs none). It
 * says, a line of JSON each: {"ready":true,"ids":[...]} when it listens;
 * {"going":true} when what the peer sends will be understood; {"at":MS,...};
 * and {"done":true,...} at last, after which it goes on answering its peer's
 * repetitions until its input ends. The receiver is to go first.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum peer_role { PEER_SEND, PEER_RECEIVE, PEER_ECHO, PEER_IDLE };

enum {
	/* The bytes of a stream repeat after this many, so that whatever is
	 * missing, doubled or out of place shows. */
	PEER_PERIOD = 65521,
	PEER_WRITE_MAX = PEER_PERIOD,
};

struct peer_options {
	enum peer_role role;
	struct sockaddr_in here, there;
	uint64_t bytes, abrupt, move, move_port, seconds, streams, write;
	uint64_t messages, keepalive, every, pause;
	bool swap, follow;
	const char *cc;
};

/* What does not make sense ends the program. */
void peer_parse(struct peer_options *o, char **argv);

/* The bytes of a stream from a position on, PEER_PERIOD of them at least. */
const uint8_t *peer_bytes(uint32_t stream, uint64_t position);

/* Whether these are the bytes of a stream from a position on. */
bool peer_right(
    uint32_t stream, uint64_t position, const uint8_t *p, size_t len);

/* What one end has seen, of all its streams together. */
struct peer_result {
	const char *who; /* ours, tcp */
	const char *err; /* NULL: none */
	uint64_t bytes_in, bytes_out, messages;
	uint64_t packets_in, packets_out, lost, resent;
	uint64_t first_ns, last_ns; /* when something came; 0: never */
	uint64_t begun_ns, done_ns, cpu_ns;
	uint64_t rtt_us;
	uint32_t mtu, failed; /* streams that ended with an error */
	bool good;            /* all that came was right */
};

void peer_tell_ready(uint32_t (*id)(uint32_t stream), uint32_t streams);
void peer_tell_going(void);
void peer_tell_passed(uint64_t in, uint64_t out);
void peer_tell_done(const struct peer_options *o, const struct peer_result *r);
void peer_tell_idle(
    const struct peer_options *o, double cpu_share, uint64_t rss_before_kib);

/* KiB of this process that are resident. */
uint64_t peer_rss_kib(void);

/* Nanoseconds of CPU of this process. */
uint64_t peer_cpu_ns(void);

#endif
