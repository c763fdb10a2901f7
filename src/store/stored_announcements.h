/* SPDX-License-Identifier: ISC */
/*
 * stored_announcements.h - the announcements of this node's users: who owns
 * them, and the list of them that survives a restart.
 *
 * Each is a topic and a key: the node's identity or one that the keyring lends.
 * The file has a line for each: the topic in hex; then, unless the node's
 * identity of the daemon's own user is announced, the owner's user id or
 * "daemon"; then the name of the key, if it has one. An announcement with a key
 * that is not stored here is not in the file.
 */
#ifndef STORE_STORED_ANNOUNCEMENTS_H
#define STORE_STORED_ANNOUNCEMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/keyring.h"
#include "store/state.h"

enum { TOPIC_LEN = 32 };

struct stored_announcement {
	uint8_t topic[TOPIC_LEN];
	const struct key_pair *keys; /* lent; NULL: the node's identity */
	struct keyring_owner owner;
	char name[KEYRING_NAME_MAX + 1]; /* of the key; "": it has none */
	bool saved; /* it is announced again after a restart */
};

/* The list, in the order in which they were added. */
struct stored_announcements {
	struct stored_announcement *list;
	uint32_t len, cap;
	uint32_t max; /* limit of len */
};

/*
 * Reads the stored announcements, at most max, and borrows their keys from k.
 * One whose key cannot be read is logged and left out.
 */
void stored_announcements_load(struct stored_announcements *t,
    const struct state *s, struct keyring *k, uint32_t max);

/* Frees the list. Its keys stay lent, because the node may still use them. */
void stored_announcements_fini(struct stored_announcements *t);

/* Returns the announcement of the topic with these keys, or NULL. Borrowed
 * until the next change, as the results of the next functions are. */
const struct stored_announcement *stored_announcements_find(
    const struct stored_announcements *t, const uint8_t *topic,
    const struct key_pair *keys);

/* Returns the first announcement of the topic that belongs to the owner (NULL:
 * to anyone), or NULL. */
const struct stored_announcement *stored_announcements_of(
    const struct stored_announcements *t, const uint8_t *topic,
    const struct keyring_owner *o);

/* Returns the announcement of the topic with this public key; node_key is that
 * of the node's identity. */
const struct stored_announcement *stored_announcements_with_key(
    const struct stored_announcements *t, const uint8_t *topic,
    const uint8_t key[KEY_LEN], const uint8_t node_key[KEY_LEN]);

/* Returns how many belong to the owner; with NULL, to any user but the
 * daemon. */
uint32_t stored_announcements_count(
    const struct stored_announcements *t, const struct keyring_owner *o);

/*
 * Adds an announcement that the list does not have, without writing the file:
 * stored_announcements_save() does that, or stored_announcements_release()
 * removes the announcement, which must be the last that was added. Returns 0,
 * ERR_LIMIT or ERR_MEMORY.
 */
int stored_announcements_hold(struct stored_announcements *t,
    const struct stored_announcement *a) __attribute__((warn_unused_result));
void stored_announcements_release(struct stored_announcements *t);
void stored_announcements_save(
    const struct stored_announcements *t, const struct state *s);

/*
 * Adds an announcement that the list does not have, takes the loan of its keys
 * and writes the file. Failures to write are logged. Returns 0, ERR_LIMIT or
 * ERR_MEMORY.
 */
int stored_announcements_add(struct stored_announcements *t,
    const struct state *s, const struct stored_announcement *a);

/* Removes an announcement, leaves the loan of its keys to the caller and writes
 * the file. Returns its former place in the list, or UINT32_MAX if the list
 * does not have it. */
uint32_t stored_announcements_del(struct stored_announcements *t,
    const struct state *s, const uint8_t *topic, const struct key_pair *keys);

#endif
