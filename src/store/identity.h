/* SPDX-License-Identifier: ISC */
/*
 * identity.h - a key pair: made once, kept in a file of the state directory,
 * held in memory that is locked and never dumped.
 */
#ifndef STORE_IDENTITY_H
#define STORE_IDENTITY_H

#include <stdbool.h>

#include "crypto/keys.h"
#include "store/state.h"

struct identity; /* locked memory */

/* The node's own. */
#define IDENTITY_FILE "key"

/*
 * The identity of that file, or a new one if there is none; *saved tells if
 * it will be the same the next time. NULL with the reason in err
 * (ERR_REASON_MAX bytes) if there is a file and it cannot be used: a key is
 * never replaced on the quiet.
 */
struct identity *identity_open(
    const struct state *s, const char *file, bool *saved, char *err);

/* The same without making one: NULL, and *err is empty, if there is none. */
struct identity *identity_load(
    const struct state *s, const char *file, char *err);

/* One that is kept elsewhere; NULL if memory is short. */
struct identity *identity_from_seed(const uint8_t seed[KEY_SEED_LEN]);

void identity_free(struct identity *id);

const struct key_pair *identity_pair(const struct identity *id);

/*
 * Writes a new key of the node for the next start and tells its public half; an
 * old one is kept as key.DIGITS, the first digits of its public key. 0, or -1
 * with the reason in err.
 */
int identity_replace(
    const struct state *s, uint8_t public_key[KEY_LEN], char *err);

#endif
