/* SPDX-License-Identifier: ISC */
/*
 * stream_recv.h - what a packet changes in a stream.
 */
#ifndef UDX_STREAM_RECV_H
#define UDX_STREAM_RECV_H

#include "base/world.h"

struct udx_stream;

/*
 * Handles a datagram for a stream that is not part of a relay. Returns 0, or
 * why it was dropped (negative, counted).
 */
int stream_recv(struct udx_stream *s, const struct dgram *dg);

#endif
