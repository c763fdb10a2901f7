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
 * Takes ownership of the socket. Returns the exit code of
 * stdio_splice_outcome(), or EXIT_FAILED if standard input or output failed.
 * If last is set, standard output is closed when the peer has ended.
 */
int stdio_splice_run(
    const struct api_client *cl, int sock, json_int_t conn, bool last);

/*
 * Waits until the connection of that number, which cl has dialed or accepted,
 * has ended. Returns EXIT_DONE if the peer has acknowledged everything,
 * including our end, and has ended itself; otherwise EXIT_LOST after an error
 * message, also if the daemon was stopped; EXIT_INTERRUPTED at SIGINT. With
 * one_way, the peer need not have ended.
 */
int stdio_splice_outcome(
    const struct api_client *cl, json_int_t conn, bool one_way);

#endif
