/* SPDX-License-Identifier: ISC */
/*
 * trace_text.h - writes events of a traced stream as lines, for the
 * notifications of the method `trace`. doc/control-protocol.md describes them.
 */
#ifndef CONTROL_TRACE_TEXT_H
#define CONTROL_TRACE_TEXT_H

#include "udx/udx_trace.h"

enum { TRACE_TEXT_MAX = 256 /* bytes with the NUL */ };

/* Writes an event without a newline. Returns out. */
const char *trace_text(
    const struct udx_trace_event *e, char out[TRACE_TEXT_MAX]);

#endif
