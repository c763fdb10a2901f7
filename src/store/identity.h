/* SPDX-License-Identifier: ISC */
/*
 * identity.h - a key pair that is created once, stored in a file of the state
 * directory, and held in locked memory that is not part of a core dump.
 */
#ifndef STORE_IDENTITY_H
#define STORE_IDENTITY_H

#include <stdbool.h>

#include "crypto/keys.h"
#include "store/state.h"

struct fault;
struct identity; /* locked memory */

/* The file of the node's own identity. */
#define IDENTITY_FILE "key"

/*
 * Loads the identity of that file, or creates one if there is no file. *saved
 * is true if the next start will load the same. Returns 0 and *id, which the
 * caller frees, or an error with *f set. A file that cannot be used is an
 * error: a key is never replaced without an order.
 */
int identity_open(const struct state *s, const char *file, struct identity **id,
    bool *saved, struct fault *f) __attribute__((warn_unused_result));

/* Loads the identity of that file. Returns 0 and *id, which the caller frees,
 * ERR_NOT_FOUND if there is no file, or another error; *f is set. */
int identity_load(const struct state *s, const char *file, struct identity **id,
    struct fault *f) __attribute__((warn_unused_result));

/* Returns the identity of a seed that the caller stores, or NULL if memory is
 * short. */
struct identity *identity_from_seed(const uint8_t seed[KEY_SEED_LEN]);

/* Wipes the identity and frees it; id may be NULL. */
void identity_free(struct identity *id);

/* Returns the key pair, which lives as long as the identity. */
const struct key_pair *identity_pair(const struct identity *id);

/*
 * Writes a new key of the node, which the next start loads, and copies its
 * public key. The old key stays in the file key.DIGITS, named by the first
 * digits of its public key. Returns 0, or an error with *f set.
 */
int identity_replace(const struct state *s, uint8_t public_key[KEY_LEN],
    struct fault *f) __attribute__((warn_unused_result));

#endif
