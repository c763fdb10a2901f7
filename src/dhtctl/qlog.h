/* SPDX-License-Identifier: ISC */
/*
 * qlog.h - writes events of traced streams as qlog, for the viewers of QUIC.
 *
 * The file is a JSON text sequence (RFC 7464): a header, then a record for each
 * event, all with the connection as group_id. Names and fields are those of
 * qlog 0.3 (draft-ietf-quic-qlog-main-schema and -quic-events).
 *
 * A UDX packet that is sent again keeps its sequence number, and a packet
 * without data has none, while viewers expect that a number names one
 * transmission. So the packets of each direction are numbered here, from 1, and
 * acknowledgements and losses refer to the last transmission of a sequence
 * number. What UDX has beyond QUIC is in a member "udx".
 *
 * Input is lines of the method `trace`. They are not trusted: a line that is
 * not understood is skipped. Uses: nothing.
 */
#ifndef DHTCTL_QLOG_H
#define DHTCTL_QLOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct qlog;

/* Returns a writer, or NULL if memory is exhausted. Borrows the file. */
struct qlog *qlog_new(FILE *f);
void qlog_free(struct qlog *q);

/* Writes the header. dialed: the traced end dialed the connection. began_ms:
 * when the trace was started, since 1970. */
void qlog_header(struct qlog *q, bool dialed, uint64_t began_ms);

/* Writes the event of one line. */
void qlog_event(struct qlog *q, uint32_t conn, const char *line);

/* Writes that so many events of the connection are missing before the one of
 * the line. */
void qlog_dropped(
    struct qlog *q, uint32_t conn, const char *line, uint64_t events);

/* Writes what was held back. Returns false if output was lost. */
bool qlog_flush(struct qlog *q);

#endif
