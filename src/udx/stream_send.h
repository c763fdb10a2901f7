/* SPDX-License-Identifier: ISC */
/*
 * stream_send.h - what a stream sends next, within the limits of congestion
 * control, pacing and the peer's window.
 */
#ifndef UDX_STREAM_SEND_H
#define UDX_STREAM_SEND_H

#include <stdbool.h>
#include <stddef.h>

struct udx_stream;

/*
 * Takes a turn of the scheduler: ends the acknowledgements of this wake-up and
 * sends what may leave, up to a quantum. Adds the bytes of data sent to *sent.
 * Returns true if the stream wants another turn at once.
 */
bool stream_send_turn(struct udx_stream *s, size_t *sent);

/* Sends one packet regardless of windows: new data, or the last one again. */
void stream_send_probe(struct udx_stream *s);

/* Makes the next turn send a HEARTBEAT; closes the stream if too many are
 * unanswered. */
void stream_request_heartbeat(struct udx_stream *s);

#endif
