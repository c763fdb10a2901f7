/* SPDX-License-Identifier: ISC */
/*
 * control_socket.h - the file of the control socket: made, guarded, removed.
 */
#ifndef CONTROL_CONTROL_SOCKET_H
#define CONTROL_CONTROL_SOCKET_H

#include <sys/stat.h>
#include <sys/un.h>

struct control_socket {
	int fd;
	struct sockaddr_un at;
	dev_t dev; /* of the file as it was made */
	ino_t ino;
};

/*
 * Makes the directory if it is missing and listens at path. A socket that
 * nobody serves is replaced; anything else there is left alone and an error. 0,
 * or -1 with the reason in err (ERR_REASON_MAX bytes).
 */
int control_socket_open(
    struct control_socket *s, const char *path, mode_t mode, char *err);

/*
 * Changes the mode of the file. Returns 0, or -1 with errno set if the file is
 * no longer the one that was made.
 */
int control_socket_chmod(const struct control_socket *s, mode_t mode);

/* Closes it, and removes the file if it is still the one that was made. */
void control_socket_close(struct control_socket *s);

#endif
