/* SPDX-License-Identifier: ISC */
/*
 * state.h - the state directory: small files that are whole or not there.
 *
 * A file is written beside the old one, synced and renamed, so that a crash at
 * any moment leaves one or the other. A directory that cannot be used is no
 * reason to stop: reads then find nothing and writes fail. Knows no content.
 * Uses: base, crypto, dht, log, node, libevent.
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include <stddef.h>
#include <sys/types.h>

struct state {
	int dir;  /* -1: cannot be used */
	int lock; /* held for life; -1: the directory is read-only */
};

enum { STATE_IN_USE = -1 };

/*
 * Opens the directory, made if need be, for this process alone. 0, also if it
 * cannot be used (logged), or STATE_IN_USE by another process.
 */
int state_open(struct state *s, const char *path);
void state_close(struct state *s);

/* Bytes read, at most max; -1: errno tells, ENOENT that there is none. */
ssize_t state_read(const struct state *s, const char *name, void *buf,
    size_t max, mode_t *mode);

/* 0, or -1 (errno), and then the old file stands. */
int state_write(
    const struct state *s, const char *name, const void *p, size_t len);

/*
 * Calls found with the name of each file that begins with prefix, in no order.
 * 0 or -1 (errno).
 */
int state_list(const struct state *s, const char *prefix,
    void (*found)(void *owner, const char *name), void *owner);

/* Gives the file a second name, to be kept under; 0 or -1 (errno). */
int state_keep(const struct state *s, const char *name, const char *as);

#endif
