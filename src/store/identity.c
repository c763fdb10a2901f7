/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "log/log.h"
#include "store/identity.h"

enum {
	SEED_DIGITS = 2 * KEY_SEED_LEN,
	KEPT_DIGITS = 16, /* of a public key, in the name of a kept file */
};

struct identity {
	struct key_pair pair;
	uint8_t seed[KEY_SEED_LEN];
	char text[SEED_DIGITS + 2]; /* newline and NUL, or one too many */
};

enum loaded { LOADED, LOAD_ABSENT, LOAD_FAILED };

const struct key_pair *
identity_pair(const struct identity *id)
{
	return &id->pair;
}

void
identity_free(struct identity *id)
{
	sodium_free(id); /* wipes it, too */
}

/* From a text of 64 digits, with or without a newline. */
static int
read_seed(struct identity *id, size_t len)
{
	size_t bytes;
	const char *end;

	if (len == SEED_DIGITS + 1 && id->text[SEED_DIGITS] == '\n')
		len = SEED_DIGITS;
	if (len != SEED_DIGITS)
		return -1;
	if (sodium_hex2bin(id->seed, sizeof id->seed, id->text, len, NULL,
		&bytes, &end) != 0)
		return -1;
	return bytes == sizeof id->seed && end == id->text + len ? 0 : -1;
}

static enum loaded
load(const struct state *s, const char *file, struct identity *id, char *err)
{
	mode_t mode;
	ssize_t len = state_read(s, file, id->text, sizeof id->text, &mode);

	if (len < 0 && errno == ENOENT)
		return LOAD_ABSENT;
	if (len < 0)
		snprintf(err, ERR_REASON_MAX,
		    "the file %s in the state directory cannot be read: %s",
		    file, strerror(errno));
	else if ((mode & (S_IRWXG | S_IRWXO)) != 0)
		snprintf(err, ERR_REASON_MAX,
		    "the file %s in the state directory is open to others: "
		    "'chmod 600' it, and think of a new key",
		    file);
	else if (read_seed(id, (size_t)len) != 0)
		snprintf(err, ERR_REASON_MAX,
		    "the file %s in the state directory is not a line of %d "
		    "hex digits: restore it, or move it away for a new "
		    "identity",
		    file, SEED_DIGITS);
	else
		return LOADED;
	return LOAD_FAILED;
}

static int
store(const struct state *s, const char *file, struct identity *id)
{
	sodium_bin2hex(id->text, sizeof id->text, id->seed, sizeof id->seed);
	id->text[SEED_DIGITS] = '\n';
	return state_write(s, file, id->text, SEED_DIGITS + 1);
}

/* The pair alone is of use from here on. */
static void
settle(struct identity *id)
{
	key_pair_from_seed(&id->pair, id->seed);
	sodium_memzero(id->seed, sizeof id->seed);
	sodium_memzero(id->text, sizeof id->text);
	sodium_mprotect_readonly(id);
}

static struct identity *
identity_new(char *err)
{
	struct identity *id = sodium_malloc(sizeof *id);

	if (id == NULL)
		snprintf(err, ERR_REASON_MAX, "no memory for the key");
	return id;
}

struct identity *
identity_load(const struct state *s, const char *file, char *err)
{
	struct identity *id = identity_new(err);

	if (id == NULL)
		return NULL;
	*err = '\0';
	if (load(s, file, id, err) != LOADED) {
		identity_free(id);
		return NULL;
	}
	settle(id);
	return id;
}

struct identity *
identity_open(const struct state *s, const char *file, bool *saved, char *err)
{
	struct identity *id = identity_load(s, file, err);

	*saved = id != NULL;
	if (id != NULL || *err != '\0')
		return id;
	id = identity_new(err);
	if (id == NULL)
		return NULL;
	randombytes_buf(id->seed, sizeof id->seed);
	*saved = store(s, file, id) == 0;
	if (!*saved)
		log_warning("the new key cannot be kept: %m; this identity "
			    "ends with this process");
	settle(id);
	return id;
}

struct identity *
identity_from_seed(const uint8_t seed[KEY_SEED_LEN])
{
	struct identity *id = sodium_malloc(sizeof *id);

	if (id == NULL)
		return NULL;
	memcpy(id->seed, seed, sizeof id->seed);
	settle(id);
	return id;
}

static int
keep_old(const struct state *s, struct identity *id, char *err)
{
	char name[sizeof IDENTITY_FILE + KEPT_DIGITS + 1];
	char digits[KEPT_DIGITS + 1];

	switch (load(s, IDENTITY_FILE, id, err)) {
	case LOAD_ABSENT:
		return 0;
	case LOAD_FAILED:
		return -1;
	case LOADED:
		break;
	}
	key_pair_from_seed(&id->pair, id->seed);
	sodium_bin2hex(
	    digits, sizeof digits, id->pair.public_key, KEPT_DIGITS / 2);
	snprintf(name, sizeof name, "%s.%s", IDENTITY_FILE, digits);
	if (state_keep(s, IDENTITY_FILE, name) == 0)
		return 0;
	snprintf(err, ERR_REASON_MAX, "the old key cannot be kept: %s",
	    strerror(errno));
	return -1;
}

int
identity_replace(const struct state *s, uint8_t public_key[KEY_LEN], char *err)
{
	struct identity *id = identity_new(err);
	int rc;

	if (id == NULL)
		return -1;
	rc = keep_old(s, id, err);
	if (rc == 0) {
		randombytes_buf(id->seed, sizeof id->seed);
		key_pair_from_seed(&id->pair, id->seed);
		rc = store(s, IDENTITY_FILE, id);
		if (rc != 0)
			snprintf(err, ERR_REASON_MAX,
			    "the new key cannot be written: %s",
			    strerror(errno));
	}
	if (rc == 0)
		memcpy(public_key, id->pair.public_key, KEY_LEN);
	identity_free(id);
	return rc;
}
