/* SPDX-License-Identifier: ISC */
/*
 * stdio_splice.h - copies standard input to a stream and the stream to
 * standard output.
 */
#ifndef DHTCTL_STDIO_SPLICE_H
#define DHTCTL_STDIO_SPLICE_H

#include "dhtctl/api_client.h"

/*
 * Copies bytes both ways until both sides have ended, each in its own time.
 * Takes ownership of the socket. Returns an exit code: EXIT_LOST, after an
 * error message, if the connection ended without the peer's end. conn is the
 * number of the connection, by which the daemon is asked how it ended. If
 * last is set, standard output is closed when the peer has ended.
 */
int stdio_splice_run(
    const struct api_client *cl, int sock, json_int_t conn, bool last);

#endif
