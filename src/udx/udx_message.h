/* SPDX-License-Identifier: ISC */
/*
 * udx_message.h - the unordered messages of a stream, in both directions,
 * protocol 05 §1. The queues are bounded in number, and in bytes by the memory
 * of all streams.
 */
#ifndef UDX_UDX_MESSAGE_H
#define UDX_UDX_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "udx/packet.h"

struct burst;
struct dgram;
struct udx_stream;

struct queued_message {
	STAILQ_ENTRY(queued_message) link;
	struct addr from;
	int sock;
	bool validated;
	uint16_t len;
	uint8_t bytes[];
};

STAILQ_HEAD(message_list, queued_message);

struct message_queues {
	struct message_list in, out;
	uint16_t in_len, out_len;
	struct queued_message *lent; /* to the reader, until its next call */
};

void message_queues_init(struct message_queues *q);

/* Frees all messages of a stream. */
void message_queues_fini(struct udx_stream *s);

/*
 * Queues the message of a packet for the reader. validated: it came from the
 * path or an allowed source.
 */
void message_receive(struct udx_stream *s, const struct packet *p,
    const struct dgram *dg, bool validated);

/* Sends the messages that wait. Returns false if the socket is full. */
bool message_flush(struct udx_stream *s, struct burst *b);

#endif
