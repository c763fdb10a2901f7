/* SPDX-License-Identifier: ISC */
/*
 * peer_names.h - names that users have given to the public keys of peers.
 *
 * Each user has names of its own; those of the daemon (root and its user) serve
 * all users who have not given the name themselves.
 */
#ifndef STORE_PEER_NAMES_H
#define STORE_PEER_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "store/keyring.h"
#include "store/state.h"

struct fault;

enum { PEER_NAMES_MAX = 1024, PEER_NAMES_USER_MAX = 256 };

struct peer_name {
	uint32_t number; /* in the order in which they were given */
	struct keyring_owner owner;
	char name[KEYRING_NAME_MAX + 1];
	uint8_t key[KEY_LEN];
};

struct peer_names {
	const struct state *state; /* borrowed */
	struct peer_name *list;
	uint32_t len, last_number;
	bool unreadable; /* the file: it must not be replaced */
};

/* Reads the file; logs lines that are not valid. Returns 0 or ERR_MEMORY. */
int peer_names_load(struct peer_names *n, const struct state *s)
    __attribute__((warn_unused_result));

/* Accepts names that are all zero. */
void peer_names_fini(struct peer_names *n);

/*
 * Gives and stores a name, which keyring_name_is_valid() describes. Returns 0,
 * or a negative code with *f set: it is not valid, it is given to another key,
 * there are too many, or the file cannot be written.
 */
int peer_names_add(struct peer_names *n, const struct keyring_owner *o,
    const char *name, const uint8_t *key, struct fault *f)
    __attribute__((warn_unused_result));

/* Returns 0, or a negative code with *f set. */
int peer_names_remove(struct peer_names *n, const struct keyring_owner *o,
    const char *name, struct fault *f) __attribute__((warn_unused_result));

/* Returns what the name means for that user, or NULL. */
const struct peer_name *peer_names_find(const struct peer_names *n,
    const struct keyring_owner *o, const char *name);

/* Returns the name with the lowest number above `after` that the user may use,
 * or NULL. */
const struct peer_name *peer_names_next(
    const struct peer_names *n, const struct keyring_owner *o, uint32_t after);

#endif
