/* SPDX-License-Identifier: ISC */
/*
 * state.h - the state directory: small files that are complete or absent.
 *
 * A new version is written to a second file, synced and renamed, so that a
 * crash at any moment leaves the old version or the new one. If the directory
 * cannot be used, the daemon runs without: reads find nothing and writes fail.
 * Knows no content. Functions that return ERR_FILE leave the cause in errno.
 * Uses: base, crypto, dht, log, node, libevent.
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include <stddef.h>
#include <sys/types.h>

struct state {
	int dir;  /* -1 if the directory cannot be used */
	int lock; /* locked while open; -1 if the directory is read-only */
};

/*
 * Opens the directory for this process alone and creates it if it is missing.
 * Returns 0, also if the directory cannot be used (logged), or ERR_BUSY if
 * another process uses it.
 */
int state_open(struct state *s, const char *path)
    __attribute__((warn_unused_result));

/* Closes the directory and unlocks it. */
void state_close(struct state *s);

/*
 * Reads the first max bytes of a file and sets *len, and *mode unless it is
 * NULL. Returns 0, ERR_NOT_FOUND if there is no such file, or ERR_FILE.
 */
int state_read(const struct state *s, const char *name, void *buf, size_t max,
    size_t *len, mode_t *mode) __attribute__((warn_unused_result));

/* Replaces a file. Returns 0, or ERR_FILE; then the old file is unchanged. */
int state_write(const struct state *s, const char *name, const void *p,
    size_t len) __attribute__((warn_unused_result));

/* Calls found with the name of each file that starts with prefix, in no order.
 * Returns 0 or ERR_FILE. */
int state_list(const struct state *s, const char *prefix,
    void (*found)(void *owner, const char *name), void *owner);

/* Removes a file. Returns 0, ERR_NOT_FOUND or ERR_FILE. */
int state_remove(const struct state *s, const char *name)
    __attribute__((warn_unused_result));

/* Links the file to a second name, which survives its replacement. Returns 0,
 * also if that name exists, or ERR_FILE. */
int state_link(const struct state *s, const char *name, const char *as)
    __attribute__((warn_unused_result));

#endif
