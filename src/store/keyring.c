/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "store/keyring.h"

enum {
	PREFIX_MAX = 36, /* "identity.4294967295." */
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

bool
keyring_owner_same(const struct keyring_owner *a, const struct keyring_owner *b)
{
	return a->daemon == b->daemon && (a->daemon || a->uid == b->uid);
}

const char *
keyring_owner_text(
    const struct keyring_owner *o, char out[KEYRING_OWNER_TEXT_MAX])
{
	if (o->daemon)
		snprintf(out, KEYRING_OWNER_TEXT_MAX, KEYRING_DAEMON);
	else
		snprintf(out, KEYRING_OWNER_TEXT_MAX, "%ju", (uintmax_t)o->uid);
	return out;
}

static void
make_prefix(char out[PREFIX_MAX], const struct keyring_owner *o)
{
	char owner[KEYRING_OWNER_TEXT_MAX];

	snprintf(out, PREFIX_MAX, "identity.%s.", keyring_owner_text(o, owner));
}

bool
keyring_owner_read(const char **text, struct keyring_owner *o)
{
	unsigned long long uid;
	char *end;

	*o = (struct keyring_owner){.daemon = true};
	if (strncmp(*text, KEYRING_DAEMON, sizeof KEYRING_DAEMON - 1) == 0) {
		*text += sizeof KEYRING_DAEMON - 1;
		return true;
	}
	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	uid = strtoull(*text, &end, 10);
	if (errno != 0 || uid > (uid_t)-1)
		return false;
	*o = (struct keyring_owner){.uid = (uid_t)uid};
	*text = end;
	return true;
}

bool
keyring_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= KEYRING_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

static int
make_file_name(char out[FILE_MAX], const struct keyring_owner *o,
    const char *name, struct fault *f)
{
	char prefix[PREFIX_MAX];

	if (!keyring_name_is_valid(name))
		return fault_set(f, ERR_VALUE,
		    "the name of a key is 1 to %d small letters, digits, - "
		    "and _",
		    KEYRING_NAME_MAX);
	make_prefix(prefix, o);
	snprintf(out, FILE_MAX, "%s%s", prefix, name);
	return 0;
}

struct key_names {
	size_t prefix_len;
	unsigned len;
	char (*names)[KEYRING_NAME_MAX + 1];
};

/* Ignores other files, such as those that are being written. */
static void
add_name(void *owner, const char *file)
{
	struct key_names *l = owner;
	const char *name = file + l->prefix_len;

	if (l->len < KEYRING_NAMES_MAX && keyring_name_is_valid(name))
		snprintf(l->names[l->len++], KEYRING_NAME_MAX + 1, "%s", name);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

unsigned
keyring_list(const struct keyring *k, const struct keyring_owner *o,
    char names[KEYRING_NAMES_MAX][KEYRING_NAME_MAX + 1])
{
	char prefix[PREFIX_MAX];
	struct key_names l = {.names = names};

	make_prefix(prefix, o);
	l.prefix_len = strlen(prefix);
	(void)state_list(k->state, prefix, add_name, &l);
	qsort(names, l.len, sizeof *names, compare_names);
	return l.len;
}

/* ---- lending ---- */

/* Takes the identity. Returns 0 and the pair of the copy that is lent. */
static int
lend_identity(struct keyring *k, struct identity *id,
    const struct key_pair **pair, struct fault *f)
{
	struct keyring_lent *l;

	*pair = identity_pair(id);
	TAILQ_FOREACH (l, &k->lent, link) {
		if (memcmp(identity_pair(l->identity)->public_key,
			(*pair)->public_key, KEY_LEN) == 0) {
			*pair = identity_pair(l->identity);
			identity_free(id);
			l->borrowers++;
			return 0;
		}
	}
	l = malloc(sizeof *l);
	if (l == NULL) {
		identity_free(id);
		return fault_set_code(f, ERR_MEMORY);
	}
	*l = (struct keyring_lent){.identity = id, .borrowers = 1};
	TAILQ_INSERT_TAIL(&k->lent, l, link);
	return 0;
}

int
keyring_lend_seed(struct keyring *k, const uint8_t seed[KEY_SEED_LEN],
    const struct key_pair **pair, struct fault *f)
{
	struct identity *id = identity_from_seed(seed);

	if (id == NULL)
		return fault_set(f, ERR_MEMORY, "no locked memory for the key");
	return lend_identity(k, id, pair, f);
}

static int
load_named(const struct keyring *k, const struct keyring_owner *o,
    const char *name, struct identity **id, struct fault *f)
{
	char file[FILE_MAX];
	int err = make_file_name(file, o, name, f);

	if (err == 0)
		err = identity_load(k->state, file, id, f);
	if (err == ERR_NOT_FOUND)
		return fault_set(f, ERR_VALUE,
		    "you have no key named %s: `dhtctl key new %s` makes one",
		    name, name);
	return err;
}

static int
open_default(const struct keyring *k, const struct keyring_owner *o,
    struct identity **id, bool *saved, struct fault *f)
{
	char file[FILE_MAX];
	int err = make_file_name(file, o, KEYRING_DEFAULT, f);

	return err != 0 ? err : identity_open(k->state, file, id, saved, f);
}

int
keyring_lend_named(struct keyring *k, const struct keyring_owner *o,
    const char *name, const struct key_pair **pair, bool *saved,
    struct fault *f)
{
	struct identity *id;
	int err;

	*saved = true;
	if (strcmp(name, KEYRING_DEFAULT) == 0)
		err = open_default(k, o, &id, saved, f);
	else
		err = load_named(k, o, name, &id, f);
	return err != 0 ? err : lend_identity(k, id, pair, f);
}

int
keyring_lend_stored(struct keyring *k, const struct keyring_owner *o,
    const char *name, const struct key_pair **pair, struct fault *f)
{
	struct identity *id;
	int err = load_named(k, o, name, &id, f);

	return err != 0 ? err : lend_identity(k, id, pair, f);
}

static struct keyring_lent *
find_lent(const struct keyring *k, const struct key_pair *pair)
{
	struct keyring_lent *l;

	TAILQ_FOREACH (l, &k->lent, link) {
		if (identity_pair(l->identity) == pair)
			return l;
	}
	return NULL;
}

void
keyring_lend_again(struct keyring *k, const struct key_pair *pair)
{
	struct keyring_lent *l = find_lent(k, pair);

	if (l != NULL)
		l->borrowers++;
}

void
keyring_return(struct keyring *k, const struct key_pair *pair)
{
	struct keyring_lent *l = find_lent(k, pair);

	if (l == NULL || --l->borrowers > 0)
		return;
	TAILQ_REMOVE(&k->lent, l, link);
	identity_free(l->identity);
	free(l);
}

/* ---- creating and showing ---- */

bool
keyring_has(
    const struct keyring *k, const struct keyring_owner *o, const char *name)
{
	char names[KEYRING_NAMES_MAX][KEYRING_NAME_MAX + 1];
	unsigned len = keyring_list(k, o, names);

	return bsearch(name, names, len, sizeof *names, compare_names) != NULL;
}

/* Checks that the name is free and that the owner may have another key. */
static int
check_new_name(const struct keyring *k, const struct keyring_owner *o,
    const char *name, struct fault *f)
{
	char names[KEYRING_NAMES_MAX][KEYRING_NAME_MAX + 1];
	unsigned len = keyring_list(k, o, names);

	if (bsearch(name, names, len, sizeof *names, compare_names) != NULL)
		return fault_set(
		    f, ERR_VALUE, "you have a key named %s already", name);
	if (len == KEYRING_NAMES_MAX)
		return fault_set(f, ERR_VALUE, "you have %u keys already", len);
	return 0;
}

int
keyring_make(const struct keyring *k, const struct keyring_owner *o,
    const char *name, uint8_t public_key[KEY_LEN], struct fault *f)
{
	char file[FILE_MAX];
	struct identity *id;
	bool saved;
	int err = make_file_name(file, o, name, f);

	if (err == 0)
		err = check_new_name(k, o, name, f);
	if (err == 0)
		err = identity_open(k->state, file, &id, &saved, f);
	if (err != 0)
		return err;
	if (!saved)
		err = fault_set(
		    f, ERR_FILE, "the state directory cannot be written");
	memcpy(public_key, identity_pair(id)->public_key, KEY_LEN);
	identity_free(id);
	return err;
}

/* Returns whether someone uses the key. */
static bool
is_lent(const struct keyring *k, const struct key_pair *pair)
{
	const struct keyring_lent *l;

	TAILQ_FOREACH (l, &k->lent, link) {
		if (memcmp(identity_pair(l->identity)->public_key,
			pair->public_key, KEY_LEN) == 0)
			return true;
	}
	return false;
}

int
keyring_remove(const struct keyring *k, const struct keyring_owner *o,
    const char *name, struct fault *f)
{
	char file[FILE_MAX];
	struct identity *id;
	bool lent;
	int err = load_named(k, o, name, &id, f);

	if (err != 0)
		return err;
	lent = is_lent(k, identity_pair(id));
	identity_free(id);
	if (lent)
		return fault_set(f, ERR_BUSY,
		    "the key %s is in use: end its listeners, connections and "
		    "announcements first",
		    name);
	err = make_file_name(file, o, name, f);
	if (err == 0 && state_remove(k->state, file) != 0)
		err = fault_set(f, ERR_FILE, "the key %s cannot be removed: %s",
		    name, strerror(errno));
	return err;
}

int
keyring_show(const struct keyring *k, const struct keyring_owner *o,
    const char *name, uint8_t public_key[KEY_LEN], struct fault *f)
{
	struct identity *id;
	int err = load_named(k, o, name, &id, f);

	if (err != 0)
		return err;
	memcpy(public_key, identity_pair(id)->public_key, KEY_LEN);
	identity_free(id);
	return 0;
}
