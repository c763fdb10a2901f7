/* SPDX-License-Identifier: ISC */
/*
 * stream_trace.h - the points at which a traced stream records events.
 *
 * Callers check that the stream is traced, so that one that is not costs a
 * branch and no call.
 */
#ifndef UDX_STREAM_TRACE_H
#define UDX_STREAM_TRACE_H

#include <stddef.h>

#include "udx/udx_trace.h"

struct packet;

void trace_sent(struct udx_trace *t, const struct packet *p, size_t size);
void trace_received(struct udx_trace *t, const struct packet *p, size_t size);
void trace_acked(struct udx_trace *t, uint32_t seq);
void trace_lost(struct udx_trace *t, const struct udx_trace_lost *lost);
void trace_timer(struct udx_trace *t, bool timeout);
void trace_path(struct udx_trace *t);

/* Records the metrics, and the state of congestion control and the MTU if they
 * have changed. */
void trace_metrics(struct udx_trace *t);

/* Records that the stream is closed. */
void trace_closed(struct udx_trace *t, int err);

/* Detaches the trace from a stream that is about to be freed. */
void trace_detach(struct udx_trace *t);

#endif
