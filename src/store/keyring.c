/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/keyring.h"

enum {
	PREFIX_MAX = 32, /* "identity.4294967295." */
	FILE_MAX = PREFIX_MAX + KEYRING_NAME_MAX,
};

void
keyring_init(struct keyring *k, const struct state *s)
{
	k->state = s;
	TAILQ_INIT(&k->lent);
}

void
keyring_fini(struct keyring *k)
{
	struct keyring_lent *l;

	while ((l = TAILQ_FIRST(&k->lent)) != NULL) {
		TAILQ_REMOVE(&k->lent, l, link);
		identity_free(l->identity);
		free(l);
	}
}

/* ---- names ---- */

static void
file_prefix(char out[PREFIX_MAX], const struct keyring_owner *o)
{
	if (o->daemon)
		snprintf(out, PREFIX_MAX, "identity.daemon.");
	else
		snprintf(out, PREFIX_MAX, "identity.%ju.", (uintmax_t)o->uid);
}

/* It becomes a part of a file's name. */
static bool
name_is_good(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= KEYRING_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

static int
file_name(char out[FILE_MAX], const struct keyring_owner *o, const char *name,
    char *err)
{
	char prefix[PREFIX_MAX];

	if (!name_is_good(name)) {
		snprintf(err, ERR_REASON_MAX,
		    "the name of a key is 1 to %d small letters, digits, - "
		    "and _",
		    KEYRING_NAME_MAX);
		return -1;
	}
	file_prefix(prefix, o);
	snprintf(out, FILE_MAX, "%s%s", prefix, name);
	return 0;
}

struct listing {
	size_t prefix_len;
	unsigned len;
	char (*names)[KEYRING_NAME_MAX + 1];
};

/* Files that we are writing, or somebody else has put there, are no names. */
static void
on_file(void *owner, const char *file)
{
	struct listing *l = owner;
	const char *name = file + l->prefix_len;

	if (l->len < KEYRING_NAMES_MAX && name_is_good(name))
		snprintf(l->names[l->len++], KEYRING_NAME_MAX + 1, "%s", name);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

unsigned
keyring_list(const struct keyring *k, const struct keyring_owner *o,
    char names[KEYRING_NAMES_MAX][KEYRING_NAME_MAX + 1])
{
	char prefix[PREFIX_MAX];
	struct listing l = {.names = names};

	file_prefix(prefix, o);
	l.prefix_len = strlen(prefix);
	(void)state_list(k->state, prefix, on_file, &l);
	qsort(names, l.len, sizeof *names, compare);
	return l.len;
}

/* ---- lending ---- */

/* Takes the identity. */
static const struct key_pair *
lend(struct keyring *k, struct identity *id, char *err)
{
	const struct key_pair *pair = identity_pair(id);
	struct keyring_lent *l;

	TAILQ_FOREACH (l, &k->lent, link) {
		if (memcmp(identity_pair(l->identity)->public_key,
			pair->public_key, KEY_LEN) == 0) {
			identity_free(id);
			l->borrowers++;
			return identity_pair(l->identity);
		}
	}
	l = malloc(sizeof *l);
	if (l == NULL) {
		identity_free(id);
		snprintf(err, ERR_REASON_MAX, "no memory for the key");
		return NULL;
	}
	*l = (struct keyring_lent){.identity = id, .borrowers = 1};
	TAILQ_INSERT_TAIL(&k->lent, l, link);
	return pair;
}

const struct key_pair *
keyring_seed(struct keyring *k, const uint8_t seed[KEY_SEED_LEN], char *err)
{
	struct identity *id = identity_from_seed(seed);

	if (id != NULL)
		return lend(k, id, err);
	snprintf(err, ERR_REASON_MAX, "no memory for the key");
	return NULL;
}

/* Says so in err if there is none. */
static struct identity *
load(const struct keyring *k, const struct keyring_owner *o, const char *name,
    char *err)
{
	char file[FILE_MAX];
	struct identity *id;

	if (file_name(file, o, name, err) != 0)
		return NULL;
	id = identity_load(k->state, file, err);
	if (id == NULL && *err == '\0')
		snprintf(err, ERR_REASON_MAX,
		    "you have no key named %s: key_new makes one", name);
	return id;
}

static struct identity *
load_default(const struct keyring *k, const struct keyring_owner *o, char *err)
{
	char file[FILE_MAX];
	bool saved;

	if (file_name(file, o, KEYRING_DEFAULT, err) != 0)
		return NULL;
	return identity_open(k->state, file, &saved, err);
}

const struct key_pair *
keyring_named(struct keyring *k, const struct keyring_owner *o,
    const char *name, char *err)
{
	struct identity *id = strcmp(name, KEYRING_DEFAULT) == 0
				  ? load_default(k, o, err)
				  : load(k, o, name, err);

	return id != NULL ? lend(k, id, err) : NULL;
}

void
keyring_return(struct keyring *k, const struct key_pair *pair)
{
	struct keyring_lent *l;

	TAILQ_FOREACH (l, &k->lent, link) {
		if (identity_pair(l->identity) == pair)
			break;
	}
	if (l == NULL || --l->borrowers > 0)
		return;
	TAILQ_REMOVE(&k->lent, l, link);
	identity_free(l->identity);
	free(l);
}

/* ---- making and showing ---- */

static int
check_room(const struct keyring *k, const struct keyring_owner *o,
    const char *name, char *err)
{
	char names[KEYRING_NAMES_MAX][KEYRING_NAME_MAX + 1];
	unsigned len = keyring_list(k, o, names);

	if (bsearch(name, names, len, sizeof *names, compare) != NULL)
		snprintf(err, ERR_REASON_MAX, "you have a key named %s already",
		    name);
	else if (len == KEYRING_NAMES_MAX)
		snprintf(err, ERR_REASON_MAX, "you have %d keys already",
		    KEYRING_NAMES_MAX);
	else
		return 0;
	return -1;
}

int
keyring_make(const struct keyring *k, const struct keyring_owner *o,
    const char *name, uint8_t public_key[KEY_LEN], char *err)
{
	char file[FILE_MAX];
	struct identity *id;
	bool saved;

	if (file_name(file, o, name, err) != 0 ||
	    check_room(k, o, name, err) != 0)
		return -1;
	id = identity_open(k->state, file, &saved, err);
	if (id == NULL)
		return -1;
	if (!saved)
		snprintf(err, ERR_REASON_MAX,
		    "the state directory cannot be written");
	memcpy(public_key, identity_pair(id)->public_key, KEY_LEN);
	identity_free(id);
	return saved ? 0 : -1;
}

int
keyring_show(const struct keyring *k, const struct keyring_owner *o,
    const char *name, uint8_t public_key[KEY_LEN], char *err)
{
	struct identity *id = load(k, o, name, err);

	if (id == NULL)
		return -1;
	memcpy(public_key, identity_pair(id)->public_key, KEY_LEN);
	identity_free(id);
	return 0;
}
