/* SPDX-License-Identifier: ISC */
/*
 * keyring.h - the identities that local users listen and connect with.
 *
 * Each user has names of its own for keys that are kept in files of the state
 * directory, one each; who may do everything shares those of the daemon. A
 * user may also bring the seed of a key that it keeps itself. Keys are lent
 * in locked memory, one copy however often, and wiped when the last
 * borrower gives them back.
 */
#ifndef STORE_KEYRING_H
#define STORE_KEYRING_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "crypto/keys.h"
#include "store/identity.h"
#include "store/state.h"

enum {
	KEYRING_NAME_MAX = 32,
	/* Files of one user: each is a place on the disk, for ever. */
	KEYRING_NAMES_MAX = 64,
};

/* The name of a user's identity where none is given. */
#define KEYRING_DEFAULT "default"

/* Whose names: a user's, or the daemon's (root, its user). */
struct keyring_owner {
	bool daemon;
	uid_t uid;
};

struct keyring_lent {
	TAILQ_ENTRY(keyring_lent) link;
	struct identity *identity;
	unsigned borrowers;
};

struct keyring {
	const struct state *state;
	TAILQ_HEAD(, keyring_lent) lent;
};

void keyring_init(struct keyring *k, const struct state *s);
void keyring_fini(struct keyring *k);

/*
 * Lends a named key, which must exist unless it is KEYRING_DEFAULT, or that
 * of a seed. NULL with the reason in err (ERR_REASON_MAX bytes).
 */
const struct key_pair *keyring_named(struct keyring *k,
    const struct keyring_owner *o, const char *name, char *err);
const struct key_pair *keyring_seed(
    struct keyring *k, const uint8_t seed[KEY_SEED_LEN], char *err);
void keyring_return(struct keyring *k, const struct key_pair *pair);

/*
 * Makes a named key and tells its public half. 0, or -1 with the reason in
 * err: there is one, the name will not do, there are too many, it cannot be
 * kept.
 */
int keyring_make(const struct keyring *k, const struct keyring_owner *o,
    const char *name, uint8_t public_key[KEY_LEN], char *err);

/* The public half alone; 0, or -1 with the reason in err. */
int keyring_show(const struct keyring *k, const struct keyring_owner *o,
    const char *name, uint8_t public_key[KEY_LEN], char *err);

/* Stores the owner's names, sorted; how many there are. */
unsigned keyring_list(const struct keyring *k, const struct keyring_owner *o,
    char names[KEYRING_NAMES_MAX][KEYRING_NAME_MAX + 1]);

#endif
