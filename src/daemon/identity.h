/* SPDX-License-Identifier: ISC */
/*
 * identity.h - the node's key pair: made once, kept in the state directory,
 * held in memory that is locked and never dumped.
 */
#ifndef DAEMON_IDENTITY_H
#define DAEMON_IDENTITY_H

#include <stdbool.h>

#include "crypto/keys.h"
#include "daemon/state.h"

struct identity; /* locked memory */

/*
 * The identity of the key file, or a new one if there is none; *saved tells if
 * it will be the same at the next start. NULL with the reason in err
 * (CONFIG_ERROR_MAX bytes) if there is a file and it cannot be used: a key is
 * never replaced on the quiet.
 */
struct identity *identity_open(const struct state *s, bool *saved, char *err);
void identity_free(struct identity *id);

const struct key_pair *identity_pair(const struct identity *id);

/*
 * Writes a new key for the next start and tells its public half; an old one is
 * kept as key.DIGITS, the first digits of its public key. 0, or -1 with the
 * reason in err.
 */
int identity_replace(
    const struct state *s, uint8_t public_key[KEY_LEN], char *err);

#endif
