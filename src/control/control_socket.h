/* SPDX-License-Identifier: ISC */
/*
 * control_socket.h - the UNIX socket of the control protocol as a file: creates
 * it, guards it against a second daemon, removes it.
 */
#ifndef CONTROL_CONTROL_SOCKET_H
#define CONTROL_CONTROL_SOCKET_H

#include <sys/stat.h>
#include <sys/un.h>

struct fault;

struct control_socket {
	int fd; /* -1: not open */
	struct sockaddr_un at;
	dev_t dev; /* of the file that was created */
	ino_t ino;
};

/*
 * Creates the directory if it is missing, and listens at path with that file
 * mode. Replaces a socket that no process serves, and nothing else. Returns 0,
 * or a negative ERR_* with *f set.
 */
int control_socket_open(
    struct control_socket *s, const char *path, mode_t mode, struct fault *f);

/* Changes the mode of the file. Returns 0, or ERR_SOCKET if that fails or the
 * file is no longer the one that was created. */
int control_socket_chmod(const struct control_socket *s, mode_t mode);

/* Closes it, and removes the file if it is still the one that was created.
 * Does nothing if it is not open. */
void control_socket_close(struct control_socket *s);

#endif
