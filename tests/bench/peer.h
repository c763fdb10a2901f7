/* SPDX-License-Identifier: ISC */
/*
 * peer.h - one end of the streams that the benchmark and the interop tests
 * measure: its options and its output, which are the same for streamer (ours),
 * stream-js.js (the JavaScript packages) and tcp.
 *
 *	PROGRAM ROLE --here HOST:PORT --there HOST:PORT [options]
 *
 * ROLE
 *	send	 writes --bytes N bytes, or for --seconds N, to each stream,
 *		 then ends; reads what comes back
 *	receive	 reads to the end, writes --bytes N bytes back, ends
 *	echo	 writes back what it reads
 *	idle	 keeps its streams for --seconds N and reports their cost
 *
 * --streams N	      that many streams, on one socket (1)
 * --write N	      bytes of one write, or of a message (65519)
 * --messages N	      send: unordered messages instead of bytes
 * --abrupt N	      destroys the stream after N bytes, sent or received
 * --move N	      send: migrates to another socket, at --move-port, after N
 * --follow	      follows the peer to another address
 * --pause N	      receive: reads nothing for the first N ms
 * --keepalive N      empty frames after N ms
 * --swap	      the sender is the responder of the handshake
 * --every N	      prints the bytes so far every N ms
 * --cc NAME	      tcp: congestion control
 *
 * Performs no handshake: both ends have fixed keys. Reads one line, the stream
 * ids of its peer, and starts then (tcp needs none). Prints lines of JSON:
 * {"ready":true,"ids":[...]} when it listens; {"going":true} when it can decode
 * what the peer sends; {"at":MS,...}; and {"done":true,...} at the end, after
 * which it still answers retransmissions of its peer until its input ends. The
 * receiver starts first.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum peer_role { PEER_SEND, PEER_RECEIVE, PEER_ECHO, PEER_IDLE };

enum {
	/*
	 * The bytes of a stream repeat after this many, so that missing,
	 * duplicated or misplaced bytes are detected.
	 */
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

/* Parses the options; exits if they are invalid. */
void peer_parse(struct peer_options *o, char **argv);

/* Returns at least PEER_PERIOD bytes of a stream from a position on. */
const uint8_t *peer_bytes(uint32_t stream, uint64_t position);

/* Returns whether these are the bytes of a stream from a position on. */
bool peer_right(
    uint32_t stream, uint64_t position, const uint8_t *p, size_t len);

/* Results of one end, the sum of all its streams. */
struct peer_result {
	const char *who; /* ours, tcp */
	const char *err; /* NULL: none */
	uint64_t bytes_in, bytes_out, messages;
	uint64_t packets_in, packets_out, lost, resent;
	uint64_t first_ns,
	    last_ns; /* of the first and the last bytes received; 0: none */
	uint64_t begun_ns, done_ns, cpu_ns;
	uint64_t rtt_us;
	uint32_t mtu, failed; /* streams that ended with an error */
	bool good;            /* all received bytes were correct */
};

void peer_tell_ready(uint32_t (*id)(uint32_t stream), uint32_t streams);
void peer_tell_going(void);
void peer_tell_passed(uint64_t in, uint64_t out);
void peer_tell_done(const struct peer_options *o, const struct peer_result *r);
void peer_tell_idle(
    const struct peer_options *o, double cpu_share, uint64_t rss_before_kib);

/* Returns the resident size of this process in KiB. */
uint64_t peer_rss_kib(void);

/* Returns the CPU time of this process in nanoseconds. */
uint64_t peer_cpu_ns(void);

#endif
