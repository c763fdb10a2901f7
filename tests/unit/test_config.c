/* SPDX-License-Identifier: ISC */
/*
 * Checks that the configuration is read as documented and that each mistake is
 * refused with its file, its line and a remedy. Each row is a whole file or one
 * option of the command line.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/options.h"
#include "t.h"

/* Writes the text to a temporary file and returns its path. */
static const char *
write_file(const char *text, size_t len)
{
	static char path[] = "/tmp/test_config.XXXXXX";
	int fd;

	memcpy(path + sizeof path - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
	return path;
}

static int
read_text(struct config *c, const char *text, size_t len, struct fault *f)
{
	const char *path = write_file(text, len);
	int rc;

	len = strlen(path);
	config_init(c);
	rc = config_read(c, path, f);
	/* Removes the path, which differs in each run. */
	if (rc != 0 && strncmp(f->text, path, len) == 0)
		memmove(f->text, f->text + len, strlen(f->text + len) + 1);
	unlink(path);
	return rc;
}

static const struct {
	const char *text, *err; /* err: a part of the reason */
} bad_files[] = {
    {"prot = 1\n", ":1: unknown key 'prot' (did you mean 'port'?)"},
    {"# one\n\n# three\nhots = x\n", ":4: unknown key 'hots' (did you"},
    {"xyzzy = 1\n", ":1: unknown key 'xyzzy'"},
    {"\nport = 65536\n", ":2: port: '65536' is neither auto nor"},
    {"port = 0\n", ":1: port: '0'"},
    {"port = -1\n", ":1: port: '-1'"},
    {"port = 1x\n", ":1: port: '1x'"},
    {"port 1\n", ":1: missing equal sign after option 'port'"},
    {"port = 1 # x\nrole = king\n", ":2: role: 'king' is none of auto"},
    {"host = ::1\n", ":1: host: '::1' is not an IPv4 address"},
    {"log-level = loud\n", ":1: log-level: 'loud' is none of error"},
    {"records = 15\n", ":1: records: '15' is not a number from 16 to"},
    {"records = 99999999999999999999\n", ":1: records: '9999"},
    {"private-network = maybe\n", "'maybe' is neither yes nor no"},
    {"public-address = 224.0.0.1\n", "'224.0.0.1' is not an IPv4 address"},
    {"public-address = name.example\n", "'name.example' is not"},
    {"announce-interval = 9\n", "'9' is not a number from 10 to 1200"},
    {"test-tick-ms = 5001\n", "'5001' is not a number from 1 to 5000"},
    {"state-dir = here\n", "'here' is not an absolute path"},
    {"control = here\n", "'here' is not an absolute path"},
    {"bootstrap = {a}\n", ":1: bootstrap: 'a' is not a node"},
    {"bootstrap = {\n\"a:1\",\n\"b:x\"}\n", ":3: bootstrap: 'b:x' is not"},
    {"bootstrap = {\"a:1\", none}\n", "'none' cannot stand beside nodes"},
    {"bootstrap = {none, \"a:1\"}\n", "'none' cannot stand beside nodes"},
    {"relay = yes\n", ":1: relay: 'yes' is none of auto, off"},
    {"relay-volume = 30X\n", "'30X' is no volume from 1M to 1000T"},
    {"relay-volume = 999k\n", "'999k' is no volume"},
    {"relay-volume = 1001T\n", "'1001T' is no volume"},
    {"relay-volume = 99999999999999999999G\n", "'99999999999999999999G'"},
    {"relay-volume = -5G\n", "'-5G' is no volume"},
    {"relay-volume = \"5G per year\"\n", "'5G per year' is no volume"},
    {"port = \"1", ":1: premature end of file"},
    {"= 1\n", ":1: unexpected token '='"},
};

START_TEST(refuses_file)
{
	struct config c;
	struct fault f;

	ck_assert_int_eq(
	    read_text(&c, bad_files[_i].text, strlen(bad_files[_i].text), &f),
	    ERR_VALUE);
	ck_assert_msg(strstr(f.text, bad_files[_i].err) != NULL,
	    "\"%s\" is refused with: %s", bad_files[_i].text, f.text);
	config_fini(&c);
}
END_TEST

START_TEST(takes_file)
{
	static const char text[] = "# a comment\n"
				   "host = 127.0.0.1\nport = 4000\n"
				   "role = bootstrap # trailing\n"
				   "public-address = 192.0.2.1\n"
				   "bootstrap = {\"a.example:1\",\n"
				   "  \"192.0.2.2@b.example:2\", public}\n"
				   "state-dir = \"/var/lib/a # b\"\n"
				   "control = /run/x\nlog-level = debug\n"
				   "private-network = yes\n"
				   "announce-interval = 60\nrecords = 1000\n";
	struct dht_config dc;
	struct config c;
	struct fault f;

	ck_assert_msg(
	    read_text(&c, text, strlen(text), &f) == 0, "refused: %s", f.text);
	ck_assert_msg(config_finish(&c, &f) == 0, "refused: %s", f.text);
	ck_assert_int_eq(c.log_level, LOG_LEVEL_DEBUG);
	ck_assert_uint_eq(c.announce_ms, 60000);
	ck_assert_str_eq(c.state_dir, "/var/lib/a # b");
	ck_assert_str_eq(c.control, "/run/x");
	config_dht(&c, &dc);
	ck_assert_int_eq(dc.role, DHT_BOOTSTRAP);
	ck_assert_uint_eq(dc.port_first, 4000);
	ck_assert_uint_eq(dc.port_last, 4000);
	ck_assert(!dc.port_any && dc.private_network);
	ck_assert_uint_eq(dc.public_address.port, 4000);
	ck_assert_uint_eq(dc.bootstrap_len, 5);
	ck_assert_str_eq(dc.bootstrap[0].name, "a.example");
	ck_assert_uint_eq(dc.bootstrap[1].port, 2);
	ck_assert_uint_eq(c.limits.records, 1000);
	config_fini(&c);
}
END_TEST

static const struct {
	const char *text;
	bool relays;
	uint64_t volume;
} relaying[] = {
    {"", false, 30000000000},
    {"role = persistent\n", true, 30000000000},
    {"role = auto\n", false, 30000000000},
    {"role = persistent\nrelay = off\n", false, 0},
    {"relay = open\n", true, 0},
    {"relay = open\nrelay-volume = 5G\n", true, 5000000000},
    {"relay-volume = \"2T per month\"\n", false, 2000000000000},
    {"relay-volume = \"1G per day\"\n", false, 30000000000},
    {"relay-volume = 1000000\n", false, 1000000},
    {"role = persistent\nrelay-volume = none\n", true, 0},
};

START_TEST(knows_whether_it_relays)
{
	struct config c;
	struct fault f;

	ck_assert_int_eq(
	    read_text(&c, relaying[_i].text, strlen(relaying[_i].text), &f), 0);
	setenv("STATE_DIRECTORY", "/x", 1);
	setenv("RUNTIME_DIRECTORY", "/x", 1);
	ck_assert_int_eq(config_finish(&c, &f), 0);
	ck_assert_int_eq(config_relays(&c), relaying[_i].relays);
	ck_assert_uint_eq(c.relay_volume, relaying[_i].volume);
	config_fini(&c);
}
END_TEST

/* The default configuration joins no network. */
START_TEST(joins_nothing_by_default)
{
	struct config c;
	struct fault f;

	ck_assert_int_eq(read_text(&c, "", 0, &f), 0);
	ck_assert_uint_eq(c.bootstrap_len, 0);
	ck_assert_uint_eq(c.port_first, 49737);
	ck_assert_uint_eq(c.port_last, 49741);
	ck_assert(c.port_any);
	ck_assert_int_eq(c.role, DHT_AUTO);
	config_fini(&c);
	ck_assert_int_eq(read_text(&c, "bootstrap = none\n", 17, &f), 0);
	ck_assert_uint_eq(c.bootstrap_len, 0);
	config_fini(&c);
}
END_TEST

START_TEST(refuses_binary_and_long_files)
{
	static const char nul[] = "port = 1\n\0port = x\n";
	struct config c;
	struct fault f;
	char *big;

	ck_assert_int_eq(read_text(&c, nul, sizeof nul - 1, &f), ERR_VALUE);
	ck_assert(strstr(f.text, "not a text") != NULL);
	big = malloc(1 << 20);
	ck_assert_ptr_nonnull(big);
	memset(big, '#', 1 << 20);
	ck_assert_int_eq(read_text(&c, big, 1 << 20, &f), ERR_VALUE);
	ck_assert(strstr(f.text, "too long") != NULL);
	free(big);
	ck_assert_int_eq(config_read(&c, "/nonexistent", &f), ERR_VALUE);
	ck_assert(strstr(f.text, "/nonexistent: No such file") != NULL);
	ck_assert_int_eq(config_read(&c, "/tmp", &f), ERR_VALUE);
	ck_assert(strstr(f.text, "/tmp: not a plain file") != NULL);
}
END_TEST

/* A randomly damaged file is read, or refused with a reason that starts with
 * its path. */
START_TEST(survives_damage)
{
	static const char text[] = "# c\nport = 5 host = \"127.0.0.1\"\n"
				   "bootstrap = {\"a:1\", 'b:2'} # x\n";
	struct prng r = prng_seeded(1);
	char damaged[sizeof text];
	struct fault f;
	struct config c;

	for (int i = 0; i < 2000; i++) {
		memcpy(damaged, text, sizeof text);
		for (uint32_t n = 1 + prng_below(&r, 4); n > 0; n--)
			damaged[prng_below(&r, sizeof text - 1)] =
			    (char)prng_next(&r);
		if (read_text(&c, damaged, sizeof text - 1, &f) != 0)
			ck_assert(*f.text == ':');
		config_fini(&c);
	}
}
END_TEST

static const struct {
	const char *role, *port, *address, *err;
} together[] = {
    {"bootstrap", "4000", "192.0.2.1", NULL},
    {"bootstrap", "4000", "192.0.2.1:4001", NULL},
    {"bootstrap", "4000", NULL, "needs 'public-address'"},
    {"bootstrap", "auto", "192.0.2.1", "needs a fixed 'port'"},
    {"bootstrap", NULL, "192.0.2.1", "needs a fixed 'port'"},
    {"auto", "4000", "192.0.2.1", "'public-address' is used only by role"},
    {"persistent", "4000", NULL, NULL},
};

START_TEST(checks_keys_together)
{
	struct config c;
	struct fault f;

	config_init(&c);
	ck_assert_int_eq(
	    config_set(&c, "role", together[_i].role, FROM_FILE, &f), 0);
	if (together[_i].port != NULL)
		ck_assert_int_eq(
		    config_set(&c, "port", together[_i].port, FROM_FILE, &f),
		    0);
	if (together[_i].address != NULL)
		ck_assert_int_eq(config_set(&c, "public-address",
				     together[_i].address, FROM_FILE, &f),
		    0);
	if (together[_i].err == NULL) {
		ck_assert_int_eq(config_finish(&c, &f), 0);
	} else {
		ck_assert_int_eq(config_finish(&c, &f), ERR_VALUE);
		ck_assert_ptr_nonnull(strstr(f.text, together[_i].err));
	}
	config_fini(&c);
}
END_TEST

static int
load_words(int argc, const char **argv, struct config *c,
    enum options_place *place, struct fault *f)
{
	struct options o;
	char **words = (char **)(uintptr_t)argv;
	int err = options_parse(&o, argc, words, f);

	*place = PLACE_COMMAND;
	return err != 0 ? err : options_load(&o, c, place, f);
}

START_TEST(command_line_wins)
{
	static const char text[] =
	    "port = 1\nrecords = 100\nbootstrap = public";
	const char *path = write_file(text, sizeof text - 1);
	const char *argv[] = {"hyperdhtd", "--bootstrap=a:1,b:2", "--records",
	    "200", "--config", path, "--port=2", "--port=3", "--bootstrap=c:3"};
	struct config c;
	enum options_place place;
	struct fault f;
	int err = load_words(9, argv, &c, &place, &f);

	unlink(path);
	ck_assert_msg(err == 0, "refused: %s", f.text);
	ck_assert_uint_eq(c.port_first, 3);
	ck_assert_uint_eq(c.limits.records, 200);
	ck_assert_uint_eq(c.bootstrap_len, 3);
	ck_assert_str_eq(c.bootstrap[2].name, "c");
	ck_assert_str_eq(c.text[CONF_BOOTSTRAP], "a:1,b:2,c:3");
	config_fini(&c);
}
END_TEST

static const struct {
	const char *word, *err;
} bad_words[] = {
    {"port=1", "'port=1' is not an option"},
    {"--prt=1", "unknown option '--prt' (did you mean '--port'?)"},
    {"--", "'--' is not an option"},
    {"--=1", "unknown option '--'"},
    {"--port", "'--port' needs a value"},
    {"--help=1", "'--help' takes no value"},
    {"--port=x", "--port: 'x' is neither auto"},
    {"--records=1", "--records: '1' is not a number from 16"},
    {"-p", "'-p' is not an option"},
};

START_TEST(refuses_word)
{
	const char *argv[] = {"hyperdhtd", bad_words[_i].word};
	struct config c;
	enum options_place place;
	struct fault f;

	ck_assert_int_eq(load_words(2, argv, &c, &place, &f), ERR_VALUE);
	ck_assert_int_eq(place, PLACE_COMMAND);
	ck_assert_msg(strstr(f.text, bad_words[_i].err) != NULL,
	    "%s is refused with: %s", bad_words[_i].word, f.text);
}
END_TEST

/* The command line accepts each key, and hyperdhtd(8) describes it. */
START_TEST(every_key_is_known)
{
	struct fault f;
	char item[80];
	const char *name;
	char *page = calloc(1, 1 << 20);
	FILE *manual = fopen(T_MANUAL, "r");

	ck_assert_ptr_nonnull(manual);
	ck_assert_ptr_nonnull(page);
	ck_assert_uint_gt(fread(page, 1, (1 << 20) - 1, manual), 0);
	fclose(manual);
	for (char *p = page; (p = strstr(p, "\\-")) != NULL;)
		memmove(p, p + 1, strlen(p));
	for (unsigned i = 0; (name = config_name(i)) != NULL; i++) {
		struct config c;

		config_init(&c);
		ck_assert_int_eq(
		    config_set(&c, name, "", FROM_COMMAND, &f), ERR_VALUE);
		config_fini(&c);
		snprintf(item, sizeof item, "\n.It Cm %s ", name);
		ck_assert_msg(
		    strstr(page, item) != NULL, "hyperdhtd(8) lacks %s", name);
	}
	free(page);
}
END_TEST

/* On the command line a relative path starts at the working directory. */
START_TEST(relative_path)
{
	struct fault f;
	char want[STATE_DIR_MAX * 2];
	char here[STATE_DIR_MAX];
	struct config c;

	config_init(&c);
	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	ck_assert_int_eq(
	    config_set(&c, "state-dir", "a/b", FROM_COMMAND, &f), 0);
	snprintf(want, sizeof want, "%s/a/b", here);
	ck_assert_str_eq(c.state_dir, want);
	ck_assert_int_eq(
	    config_set(&c, "state-dir", "/a/b", FROM_COMMAND, &f), 0);
	ck_assert_str_eq(c.state_dir, "/a/b");
	config_fini(&c);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("config", &tc);

	tcase_add_loop_test(tc, refuses_file, 0, T_ROWS(bad_files));
	tcase_add_test(tc, takes_file);
	tcase_add_loop_test(
	    tc, knows_whether_it_relays, 0, sizeof relaying / sizeof *relaying);
	tcase_add_test(tc, joins_nothing_by_default);
	tcase_add_test(tc, refuses_binary_and_long_files);
	tcase_add_test(tc, survives_damage);
	tcase_add_loop_test(tc, checks_keys_together, 0, T_ROWS(together));
	tcase_add_test(tc, command_line_wins);
	tcase_add_loop_test(tc, refuses_word, 0, T_ROWS(bad_words));
	tcase_add_test(tc, every_key_is_known);
	tcase_add_test(tc, relative_path);
	return s;
}
