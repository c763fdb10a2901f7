/* SPDX-License-Identifier: ISC */
/*
 * udx_trace.h - records what happens to one stream, for `dhtctl trace`.
 *
 * While a stream is traced, each packet, loss and change of its state is
 * appended to a ring of bounded size. Its reader polls; what the reader is too
 * slow for is dropped and counted. A stream that is not traced pays one branch
 * at each of these points. The trace outlives its stream, so that the end can
 * be read; it must be stopped before udx_free(). Uses: base.
 */
#ifndef UDX_UDX_TRACE_H
#define UDX_UDX_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "udx/packet.h"

struct udx_stream;
struct udx_trace;

enum udx_trace_kind {
	UDX_TRACE_SENT,     /* packet */
	UDX_TRACE_RECEIVED, /* packet */
	UDX_TRACE_ACKED,    /* acked: the packet received before acknowledges */
	UDX_TRACE_LOST,     /* lost */
	UDX_TRACE_TIMER,    /* timeout */
	UDX_TRACE_METRICS,  /* metrics */
	UDX_TRACE_STATE,    /* state */
	UDX_TRACE_MTU,      /* mtu */
	UDX_TRACE_PATH,     /* remote */
	UDX_TRACE_CLOSED,   /* err */
};

struct udx_trace_packet {
	uint8_t type;    /* enum packet_type */
	bool resent;     /* sent before */
	uint16_t size;   /* as a UDP payload */
	uint16_t len;    /* payload of the packet */
	uint16_t ranges; /* of a SACK */
	uint32_t seq, ack, window;
};

enum { UDX_TRACE_RANGES = 6 };

/* Sequence numbers that were acknowledged for the first time. */
struct udx_trace_acked {
	struct packet_range range[UDX_TRACE_RANGES];
	uint32_t len;
};

enum udx_loss_reason {
	UDX_LOSS_REORDERING, /* packets sent later were acknowledged */
	UDX_LOSS_TIMEOUT,    /* nothing was acknowledged */
	UDX_LOSS_PATH,       /* sent before the path worked */
};

struct udx_trace_lost {
	uint32_t seq;
	uint16_t size;
	bool mtu_probe;
	enum udx_loss_reason reason;
};

struct udx_trace_metrics {
	uint64_t cwnd, in_flight; /* bytes */
	uint64_t rate;            /* of pacing, bytes per second; 0: none */
	uint32_t srtt_us, rttvar_us, min_rtt_us, latest_rtt_us;
	bool in_recovery; /* of a loss */
};

struct udx_trace_event {
	uint64_t at_us; /* since the trace was started */
	enum udx_trace_kind kind;
	union {
		struct udx_trace_packet packet;
		struct udx_trace_acked acked;
		struct udx_trace_lost lost;
		struct udx_trace_metrics metrics;
		struct {
			const char *from,
			    *to; /* cc_state_name(); from: or NULL */
		} state;
		struct {
			uint16_t from, to; /* IP packet, bytes */
		} mtu;
		struct addr remote;
		bool timeout; /* false: a tail loss probe */
		int err;
	};
};

/*
 * Starts to trace a stream, and records its present state. Returns NULL and
 * sets *err on failure: ERR_CLOSED, ERR_EXISTS (it is being traced), ERR_LIMIT
 * or ERR_MEMORY.
 */
struct udx_trace *udx_trace_start(struct udx_stream *s, int *err);

/* Stops and frees it. */
void udx_trace_stop(struct udx_trace *t);

/* Removes the oldest event. Returns false if there is none. */
bool udx_trace_next(struct udx_trace *t, struct udx_trace_event *out);

/* Returns how many events were dropped because the ring was full. */
uint64_t udx_trace_dropped(const struct udx_trace *t);

/* Returns true if the stream is gone and all events were read. */
bool udx_trace_is_over(const struct udx_trace *t);

/* Returns the time since the trace was started. */
uint64_t udx_trace_age_us(const struct udx_trace *t);

#endif
