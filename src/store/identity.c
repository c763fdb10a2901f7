/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fault.h"
#include "log/log.h"
#include "store/identity.h"

enum {
	SEED_DIGITS = 2 * KEY_SEED_LEN,
	KEPT_DIGITS =
	    16, /* of the public key, in the name of an old key's file */
};

struct identity {
	struct key_pair pair;
	uint8_t seed[KEY_SEED_LEN];
	/* With newline and NUL; a longer file fills the last byte. */
	char text[SEED_DIGITS + 2];
};

const struct key_pair *
identity_pair(const struct identity *id)
{
	return &id->pair;
}

void
identity_free(struct identity *id)
{
	sodium_free(id); /* also wipes it */
}

/* Parses 64 hex digits with or without a newline. Returns 0 or ERR_VALUE. */
static int
parse_seed(struct identity *id, size_t len)
{
	size_t bytes;
	const char *end;

	if (len == SEED_DIGITS + 1 && id->text[SEED_DIGITS] == '\n')
		len = SEED_DIGITS;
	if (len != SEED_DIGITS)
		return ERR_VALUE;
	if (sodium_hex2bin(id->seed, sizeof id->seed, id->text, len, NULL,
		&bytes, &end) != 0)
		return ERR_VALUE;
	return bytes == sizeof id->seed && end == id->text + len ? 0
								 : ERR_VALUE;
}

/* Reads the seed. Returns 0, ERR_NOT_FOUND if there is no file, or another
 * error; *f is set. */
static int
read_seed(const struct state *s, const char *file, struct identity *id,
    struct fault *f)
{
	mode_t mode;
	size_t len;
	int err = state_read(s, file, id->text, sizeof id->text, &len, &mode);

	if (err == ERR_NOT_FOUND)
		return fault_set(
		    f, err, "the state directory has no file %s", file);
	if (err != 0)
		return fault_set(f, err,
		    "the file %s in the state directory cannot be read: %s",
		    file, strerror(errno));
	if ((mode & (S_IRWXG | S_IRWXO)) != 0)
		return fault_set(f, ERR_VALUE,
		    "the file %s in the state directory is open to others: "
		    "'chmod 600' it, and consider a new key",
		    file);
	if (parse_seed(id, len) != 0)
		return fault_set(f, ERR_VALUE,
		    "the file %s in the state directory is not a line of %d "
		    "hex digits: restore it, or move it away for a new "
		    "identity",
		    file, SEED_DIGITS);
	return 0;
}

static int
write_seed(const struct state *s, const char *file, struct identity *id)
{
	sodium_bin2hex(id->text, sizeof id->text, id->seed, sizeof id->seed);
	id->text[SEED_DIGITS] = '\n';
	return state_write(s, file, id->text, SEED_DIGITS + 1);
}

/* Derives the key pair and wipes the seed, which is not used any more. */
static void
derive_pair(struct identity *id)
{
	key_pair_from_seed(&id->pair, id->seed);
	sodium_memzero(id->seed, sizeof id->seed);
	sodium_memzero(id->text, sizeof id->text);
	sodium_mprotect_readonly(id);
}

/* Allocates an identity without a key. Returns 0, or ERR_MEMORY with *f set. */
static int
identity_new(struct identity **id, struct fault *f)
{
	*id = sodium_malloc(sizeof **id);
	if (*id != NULL)
		return 0;
	return fault_set(f, ERR_MEMORY, "no locked memory for the key");
}

int
identity_load(const struct state *s, const char *file, struct identity **id,
    struct fault *f)
{
	int err = identity_new(id, f);

	if (err != 0)
		return err;
	err = read_seed(s, file, *id, f);
	if (err == 0) {
		derive_pair(*id);
	} else {
		identity_free(*id);
		*id = NULL;
	}
	return err;
}

int
identity_open(const struct state *s, const char *file, struct identity **id,
    bool *saved, struct fault *f)
{
	int err = identity_load(s, file, id, f);

	*saved = err == 0;
	if (err != ERR_NOT_FOUND)
		return err;
	err = identity_new(id, f);
	if (err != 0)
		return err;
	randombytes_buf((*id)->seed, sizeof(*id)->seed);
	*saved = write_seed(s, file, *id) == 0;
	if (!*saved)
		log_warning("the new key %s cannot be saved: %m; it is lost "
			    "when the daemon stops",
		    file);
	derive_pair(*id);
	return 0;
}

struct identity *
identity_from_seed(const uint8_t seed[KEY_SEED_LEN])
{
	struct identity *id = sodium_malloc(sizeof *id);

	if (id == NULL)
		return NULL;
	memcpy(id->seed, seed, sizeof id->seed);
	derive_pair(id);
	return id;
}

/* Links the file of the old key, if there is one, to key.DIGITS. */
static int
keep_old_key(const struct state *s, struct identity *id, struct fault *f)
{
	char name[sizeof IDENTITY_FILE + KEPT_DIGITS + 1];
	char digits[KEPT_DIGITS + 1];
	int err = read_seed(s, IDENTITY_FILE, id, f);

	if (err != 0)
		return err == ERR_NOT_FOUND ? 0 : err;
	key_pair_from_seed(&id->pair, id->seed);
	sodium_bin2hex(
	    digits, sizeof digits, id->pair.public_key, KEPT_DIGITS / 2);
	snprintf(name, sizeof name, "%s.%s", IDENTITY_FILE, digits);
	err = state_link(s, IDENTITY_FILE, name);
	if (err != 0)
		return fault_set(f, err, "the old key cannot be kept as %s: %s",
		    name, strerror(errno));
	return 0;
}

int
identity_replace(
    const struct state *s, uint8_t public_key[KEY_LEN], struct fault *f)
{
	struct identity *id;
	int err = identity_new(&id, f);

	if (err != 0)
		return err;
	err = keep_old_key(s, id, f);
	if (err == 0) {
		randombytes_buf(id->seed, sizeof id->seed);
		key_pair_from_seed(&id->pair, id->seed);
		err = write_seed(s, IDENTITY_FILE, id);
		if (err != 0)
			fault_set(f, err, "the new key cannot be written: %s",
			    strerror(errno));
	}
	if (err == 0)
		memcpy(public_key, id->pair.public_key, KEY_LEN);
	identity_free(id);
	return err;
}
