/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/text.h"
#include "dhtctl/dhtctl.h"

/* ---- the command ---- */

/* Prints a key; as text without its name, for scripts. */
static int
print_key(struct ctl *c, enum api_method_id method, const char *name)
{
	json_t *params = json_object(), *result;
	int code;

	if (name != NULL)
		json_object_set_new(params, "name", json_string(name));
	code = api_client_call(&c->client, method, params, NULL, &result);
	if (code == EXIT_DONE)
		print_one(&c->print, result, "public_key");
	json_decref(result);
	return code;
}

static const struct column key_columns[] = {
    {"name", "NAME", UNIT_NONE},
    {"public_key", "PUBLIC KEY", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

static int
print_keys(struct ctl *c)
{
	json_t *node, *named = NULL, *item;
	size_t i;
	int code;

	code = api_client_call(
	    &c->client, API_METHOD_key_show, json_object(), NULL, &node);
	if (code == EXIT_DONE)
		code = api_client_call(&c->client, API_METHOD_key_list,
		    json_object(), NULL, &named);
	if (code == EXIT_DONE) {
		json_object_del(node, "saved");
		json_object_set_new(node, "name", json_null());
		print_begin(&c->print, "keys", key_columns);
		print_item(&c->print, node);
		json_array_foreach(json_object_get(named, "keys"), i, item)
		    print_item(&c->print, item);
		print_end(&c->print, NULL);
	}
	json_decref(node);
	json_decref(named);
	return code;
}

static int
remove_key(struct ctl *c, const char *name)
{
	static const struct column nothing[] = {{NULL, NULL, UNIT_NONE}};

	if (name == NULL)
		return usage_error("key", "remove needs the NAME of a key");
	return call_and_print(c, API_METHOD_key_remove,
	    json_pack("{s:s}", "name", name), nothing);
}

int
cmd_key(struct ctl *c, char **argv)
{
	const char *what = argv[0] != NULL ? argv[0] : "list";
	const char *name = argv[0] != NULL ? argv[1] : NULL;
	int code;

	if (strcmp(what, "show") == 0)
		return print_key(c, API_METHOD_key_show, name);
	if (strcmp(what, "list") == 0 && name != NULL)
		return usage_error("key", "list takes no name");
	if (strcmp(what, "list") == 0)
		return print_keys(c);
	if (strcmp(what, "remove") == 0)
		return remove_key(c, name);
	if (strcmp(what, "new") != 0)
		return usage_error("key",
		    "\"%.60s\" is neither list, new, show nor remove", what);
	code = print_key(c, API_METHOD_key_new, name);
	if (code == EXIT_DONE && name == NULL)
		print_hint("key", "the daemon uses it from its next start");
	return code;
}

/* ---- the identity of a listener or connection ---- */

enum { SEED_LEN = 32, SEED_DIGITS = 2 * SEED_LEN };

static int
report_file(struct ctl *c, const char *what)
{
	print_error(c->command->name, "%s: %s", c->key_file, what);
	return EXIT_FAILED;
}

/* Creates the file with a new key. */
static int
create_file(struct ctl *c, uint8_t seed[SEED_LEN])
{
	char text[SEED_DIGITS + 2];
	int fd = open(c->key_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    S_IRUSR | S_IWUSR);
	bool good;

	if (fd < 0)
		return report_file(c, strerror(errno));
	randombytes_buf(seed, SEED_LEN);
	sodium_bin2hex(text, sizeof text, seed, SEED_LEN);
	text[SEED_DIGITS] = '\n';
	good = write(fd, text, SEED_DIGITS + 1) == SEED_DIGITS + 1 &&
	       fsync(fd) == 0;
	sodium_memzero(text, sizeof text);
	if (close(fd) != 0 || !good)
		return report_file(c, "the new key could not be written");
	print_error(c->command->name, "created a new key in %s", c->key_file);
	return EXIT_DONE;
}

/* Reads a line as in the daemon's own key file, or as another program writes
 * it. */
static int
read_file(struct ctl *c, int fd, uint8_t seed[SEED_LEN])
{
	char text[SEED_DIGITS + 3]; /* and a byte that must not be there */
	ssize_t n = read(fd, text, sizeof text - 1);
	struct stat st;
	bool good = n > 0;

	if (good) {
		n -= text[n - 1] == '\n';
		text[n] = '\0';
		good = strlen(text) == (size_t)n &&
		       text_key_parse(seed, text) == 0;
	}
	sodium_memzero(text, sizeof text);
	if (!good)
		return report_file(c, "the file is not one line of 64 hex"
				      " digits, or of 52 characters of"
				      " z-base-32 or base32");
	if (fstat(fd, &st) != 0 || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return report_file(c, "other users can read the file: run chmod"
				      " 600, and consider a new key");
	return EXIT_DONE;
}

static int
load_file(struct ctl *c, uint8_t seed[SEED_LEN])
{
	int fd = open(c->key_file, O_RDONLY | O_CLOEXEC);
	int code;

	if (fd < 0)
		return errno == ENOENT ? create_file(c, seed)
				       : report_file(c, strerror(errno));
	code = read_file(c, fd, seed);
	close(fd);
	return code;
}

int
add_identity(struct ctl *c, json_t *params)
{
	uint8_t seed[SEED_LEN];
	char *text;
	int code;

	if (c->key_file != NULL && c->key_name != NULL)
		return usage_error(
		    c->command->name, "give --key or --name, not both");
	if (c->key_name != NULL)
		json_object_set_new(params, "name", json_string(c->key_name));
	if (c->key_file == NULL)
		return EXIT_DONE;
	code = load_file(c, seed);
	if (code == EXIT_DONE) {
		text = text_b64(seed, sizeof seed);
		json_object_set_new(params, "seed_b64", json_string(text));
		sodium_memzero(text, strlen(text));
		free(text);
	}
	sodium_memzero(seed, sizeof seed);
	return code;
}
