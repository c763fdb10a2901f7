/* SPDX-License-Identifier: ISC */
/*
 * keyring.h - the identities that local users listen and connect with.
 *
 * Each user has separate names for its keys, each of which is a file of the
 * state directory; root and the daemon's user share the names of the daemon. A
 * user may also give the seed of a key that it stores itself. Keys are lent in
 * locked memory, one copy for all borrowers, and wiped when the last one
 * returns them.
 */
#ifndef STORE_KEYRING_H
#define STORE_KEYRING_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/limits.h"
#include "crypto/keys.h"
#include "store/identity.h"
#include "store/state.h"

struct fault;

enum {
	KEYRING_NAME_MAX = 32,
};

/* The name of the identity that a user has by default. */
#define KEYRING_DEFAULT "default"

/* Name of the daemon as an owner, in files and results. */
#define KEYRING_DAEMON "daemon"

/* The owner of names: a user, or the daemon (root and its user). */
struct keyring_owner {
	bool daemon;
	uid_t uid;
};

/* Returns true if both are the same user, or both the daemon. */
bool keyring_owner_same(
    const struct keyring_owner *a, const struct keyring_owner *b);

/* Writes the owner as files and results have it: "daemon" or a user id. Returns
 * out. */
enum { KEYRING_OWNER_TEXT_MAX = 24 };
const char *keyring_owner_text(
    const struct keyring_owner *o, char out[KEYRING_OWNER_TEXT_MAX]);

/* Reads such a text and moves *text behind it. Returns false if it is not
 * valid. */
bool keyring_owner_read(const char **text, struct keyring_owner *o);

/* Returns whether the text can name a key: 1 to KEYRING_NAME_MAX small letters,
 * digits, - and _. */
bool keyring_name_is_valid(const char *name);

/* A key in use. */
struct keyring_lent {
	TAILQ_ENTRY(keyring_lent) link;
	struct identity *identity;
	unsigned borrowers;
};

struct keyring {
	const struct state *state;
	TAILQ_HEAD(, keyring_lent) lent;
};

/* Borrows the state directory. */
void keyring_init(struct keyring *k, const struct state *s);

/* Wipes all keys, also those not returned. */
void keyring_fini(struct keyring *k);

/*
 * Lends the key of a name, which must exist unless it is KEYRING_DEFAULT, or of
 * a seed. Returns 0 and *pair, which the caller returns, or an error with *f
 * set. *saved is false if the key is new and could not be stored.
 */
int keyring_lend_named(struct keyring *k, const struct keyring_owner *o,
    const char *name, const struct key_pair **pair, bool *saved,
    struct fault *f) __attribute__((warn_unused_result));
/* Lends a key as keyring_lend_named() does, but does not create it. */
int keyring_lend_stored(struct keyring *k, const struct keyring_owner *o,
    const char *name, const struct key_pair **pair, struct fault *f)
    __attribute__((warn_unused_result));
int keyring_lend_seed(struct keyring *k, const uint8_t seed[KEY_SEED_LEN],
    const struct key_pair **pair, struct fault *f)
    __attribute__((warn_unused_result));

/* Lends a key that is lent to another borrower, too; NULL is ignored. */
void keyring_lend_again(struct keyring *k, const struct key_pair *pair);

/* Takes a lent key back and wipes it if no other borrower has it; NULL is
 * ignored. */
void keyring_return(struct keyring *k, const struct key_pair *pair);

/* Returns whether the owner has a key of that name. */
bool keyring_has(
    const struct keyring *k, const struct keyring_owner *o, const char *name);

/*
 * Creates a named key and copies its public key. Returns 0, or an error with *f
 * set: the name is in use or not valid, the owner has KEYRING_NAMES_MAX keys,
 * or the file cannot be written.
 */
int keyring_make(const struct keyring *k, const struct keyring_owner *o,
    const char *name, uint8_t public_key[KEY_LEN], struct fault *f)
    __attribute__((warn_unused_result));

/*
 * Removes a named key and its file. Returns 0, or an error with *f set: there
 * is no such name, the key is lent (ERR_BUSY), or the file cannot be removed.
 */
int keyring_remove(const struct keyring *k, const struct keyring_owner *o,
    const char *name, struct fault *f) __attribute__((warn_unused_result));

/* Copies the public key of a name. Returns 0, or an error with *f set. */
int keyring_show(const struct keyring *k, const struct keyring_owner *o,
    const char *name, uint8_t public_key[KEY_LEN], struct fault *f)
    __attribute__((warn_unused_result));

/* Copies the owner's names, sorted, and returns their number. */
unsigned keyring_list(const struct keyring *k, const struct keyring_owner *o,
    char names[KEYRING_NAMES_MAX][KEYRING_NAME_MAX + 1]);

#endif
