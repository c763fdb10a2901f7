/* SPDX-License-Identifier: ISC */
/*
 * stream.h - one stream.
 *
 * It is made of parts, each of which is owned by the module that declares it
 * and is changed through that module's functions alone. What needs more than
 * one part is a function of a stream: here, in stream_send.h (what leaves),
 * stream_recv.h (what arrives) and stream_timer.h (deadlines).
 */
#ifndef UDX_STREAM_H
#define UDX_STREAM_H

#include "udx/ack_delay.h"
#include "udx/cc.h"
#include "udx/heartbeat.h"
#include "udx/loss.h"
#include "udx/mtu.h"
#include "udx/pacer.h"
#include "udx/receive_part.h"
#include "udx/send_part.h"
#include "udx/stream_path.h"
#include "udx/udx_message.h"
#include "udx/udx_table.h"

enum stream_state {
	STREAM_UNCONNECTED, /* udx_connect() was not called yet */
	STREAM_OPEN,
	STREAM_CLOSED, /* sends and receives nothing; data can be read */
};

struct stream_counters {
	uint64_t bytes_in, bytes_out, packets_in, packets_out;
	uint64_t path_packets_in; /* on the current path since the migration */
};

struct udx_stream {
	UT_hash_handle hh; /* in udx.streams */
	struct udx *udx;
	void *owner;
	uint32_t id;
	enum stream_state state;
	int err;         /* once closed */
	unsigned events; /* for udx_poll(); in udx.notified unless 0 */
	TAILQ_ENTRY(udx_stream) all_link, notified_link;
	struct sched_entry sched;
	struct reclaim_entry reclaim;
	struct stream_path path;
	struct relay_half *relay; /* or NULL */
	struct receive_part receive;
	struct ack_delay ack_delay;
	struct send_part send;
	struct message_queues messages;
	struct heartbeat heartbeat;
	struct pacer pacer;
	struct loss loss;
	struct cc cc;
	struct mtu mtu;
	struct timer timer; /* the earliest deadline of the parts above */
	uint64_t sent_us;   /* when the last packet of any kind was sent */
	struct stream_counters count;
};

static inline uint64_t
stream_now(const struct udx_stream *s)
{
	return s->udx->core->world->now_us;
}

static inline bool
stream_is_closed(const struct udx_stream *s)
{
	return s->state == STREAM_CLOSED;
}

/* Returns the payload bytes that a packet may have now. */
static inline uint16_t
stream_payload_max(const struct udx_stream *s)
{
	return (uint16_t)(mtu_udp_payload(&s->mtu) - PACKET_HEADER);
}

/* Adds events for udx_poll(). */
void stream_notify(struct udx_stream *s, unsigned events);

/*
 * Closes the stream: nothing is sent or accepted any more, what has arrived
 * can be read. err: 0, or why. Does nothing if it is closed.
 */
void stream_close(struct udx_stream *s, int err);

/* Closes the stream if both sides have ended and all is acknowledged. */
void stream_check_end(struct udx_stream *s);

/* Notifies the writer after bytes were acknowledged or sent. */
void stream_notify_writer(struct udx_stream *s);

/* Frees the buffers in which nothing lies. */
void stream_trim(struct udx_stream *s);

#endif
