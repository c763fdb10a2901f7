/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "config/config.h"

enum {
	PORT_AUTO_FIRST = 49737, /* protocol 01 §1 */
	PORT_AUTO_LAST = 49741,
	ANNOUNCE_SECONDS = 600,
	ANNOUNCE_SECONDS_MIN = 10,
	ANNOUNCE_SECONDS_MAX = 1200, /* records expire at that age */
	TICK_MS = 5000,
};

/* What a node relays by default: 11.6 kB per second. */
#define RELAY_AUTO_VOLUME UINT64_C(30000000000)
#define RELAY_VOLUME_MIN UINT64_C(1000000)
#define RELAY_VOLUME_TOP UINT64_C(1000000000000000) /* of relay_volume.h */

/* Parses a decimal number without sign and space. Returns 0 or ERR_VALUE. */
static int
parse_number(const char *text, uint32_t low, uint32_t high, uint32_t *out)
{
	unsigned long long v;
	char *end;

	if (*text < '0' || *text > '9')
		return ERR_VALUE;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || v < low || v > high)
		return ERR_VALUE;
	*out = (uint32_t)v;
	return 0;
}

static int
set_number(
    const char *v, uint32_t low, uint32_t high, uint32_t *out, struct fault *f)
{
	if (parse_number(v, low, high, out) != 0)
		return fault_set(f, ERR_VALUE,
		    "'%s' is not a number from %u to %u", v, low, high);
	return 0;
}

static int
set_announce_interval(struct config *c, const char *v, struct fault *f)
{
	uint32_t s;
	int err =
	    set_number(v, ANNOUNCE_SECONDS_MIN, ANNOUNCE_SECONDS_MAX, &s, f);

	if (err != 0)
		return err;
	c->announce_ms = s * 1000;
	return 0;
}

static int
add_bootstrap(struct config *c, const char *text, struct fault *f)
{
	if (c->bootstrap_len == BOOTSTRAP_MAX)
		return fault_set(
		    f, ERR_VALUE, "more than %d nodes", BOOTSTRAP_MAX);
	if (c->bootstrap == NULL) {
		c->bootstrap = calloc(BOOTSTRAP_MAX, sizeof *c->bootstrap);
		if (c->bootstrap == NULL)
			return fault_set_code(f, ERR_MEMORY);
	}
	if (bootstrap_parse(&c->bootstrap[c->bootstrap_len], text) != 0)
		return fault_set(f, ERR_VALUE,
		    "'%s' is not a node (public, none, HOST:PORT or "
		    "ADDRESS@HOST:PORT)",
		    text);
	c->bootstrap_len++;
	return 0;
}

static int
add_public(struct config *c, struct fault *f)
{
	int err = 0;

	for (size_t i = 0;
	     err == 0 && i < sizeof bootstrap_public / sizeof *bootstrap_public;
	     i++)
		err = add_bootstrap(c, bootstrap_public[i], f);
	return err;
}

static int
set_bootstrap(struct config *c, const char *v, struct fault *f)
{
	char *list = strdup(v), *rest = list, *item;
	int rc = list == NULL ? fault_set_code(f, ERR_MEMORY) : 0;

	while (rc == 0 && (item = strsep(&rest, ",")) != NULL) {
		item += strspn(item, " \t");
		item[strcspn(item, " \t")] = '\0';
		if (strcmp(item, "public") == 0)
			rc = add_public(c, f);
		else if (strcmp(item, "none") != 0)
			rc = add_bootstrap(c, item, f);
		else if (strcmp(v, "none") != 0)
			rc = fault_set(
			    f, ERR_VALUE, "'none' cannot stand beside nodes");
	}
	free(list);
	return rc;
}

/* Copies a path. On the command line a relative path starts at the working
 * directory; the configuration file must give an absolute one. */
static int
set_path(char *out, const char *v, size_t max, enum config_source source,
    struct fault *f)
{
	char here[STATE_DIR_MAX] = "";
	size_t len;

	if (*v == '\0')
		return fault_set(f, ERR_VALUE, "a path is missing");
	if (*v != '/' && source != FROM_COMMAND)
		return fault_set(
		    f, ERR_VALUE, "'%s' is not an absolute path", v);
	if (*v != '/' && getcwd(here, sizeof here - 1) == NULL)
		return fault_set(f, ERR_VALUE,
		    "the working directory cannot be read: %s",
		    strerror(errno));
	len = strlen(here);
	if (len > 0 && here[len - 1] != '/')
		here[len++] = '/';
	if (len + strlen(v) >= max)
		return fault_set(f, ERR_VALUE,
		    "a path of at most %zu bytes is needed", max - 1);
	memcpy(out, here, len);
	memcpy(out + len, v, strlen(v) + 1);
	return 0;
}

static int
set_control(struct config *c, const char *v, struct fault *f)
{
	return set_path(
	    c->control, v, sizeof c->control, c->source[CONF_CONTROL], f);
}

static int
set_state_dir(struct config *c, const char *v, struct fault *f)
{
	return set_path(
	    c->state_dir, v, sizeof c->state_dir, c->source[CONF_STATE_DIR], f);
}

static int
set_host(struct config *c, const char *v, struct fault *f)
{
	struct addr a = {.family = ADDR_V4};

	if (inet_pton(AF_INET, v, a.ip) != 1)
		return fault_set(f, ERR_VALUE,
		    "'%s' is not an IPv4 address to bind to (0.0.0.0: all)", v);
	c->host = a;
	return 0;
}

static int
set_ipv6(struct config *c, const char *v, struct fault *f)
{
	int yes = cfg_parse_boolean(v);

	if (yes < 0)
		return fault_set(f, ERR_VALUE, "'%s' is neither yes nor no", v);
	c->ipv6 = yes;
	return 0;
}

static int
set_log_level(struct config *c, const char *v, struct fault *f)
{
	if (log_level_parse(v, &c->log_level) != 0)
		return fault_set(f, ERR_VALUE,
		    "'%s' is none of error, warning, notice, info, debug", v);
	return 0;
}

static int
set_port(struct config *c, const char *v, struct fault *f)
{
	uint32_t port;

	c->port_any = strcmp(v, "auto") == 0;
	if (c->port_any) {
		c->port_first = PORT_AUTO_FIRST;
		c->port_last = PORT_AUTO_LAST;
		return 0;
	}
	if (parse_number(v, 1, UINT16_MAX, &port) != 0)
		return fault_set(f, ERR_VALUE,
		    "'%s' is neither auto nor a port from 1 to 65535", v);
	c->port_first = c->port_last = (uint16_t)port;
	return 0;
}

static int
set_private_network(struct config *c, const char *v, struct fault *f)
{
	int yes = cfg_parse_boolean(v);

	if (yes < 0)
		return fault_set(f, ERR_VALUE, "'%s' is neither yes nor no", v);
	c->private_network = yes;
	return 0;
}

static int
set_public_address(struct config *c, const char *v, struct fault *f)
{
	struct addr a;

	/* config_finish() replaces port 0 by the port of the node. */
	if (addr_parse(&a, v, 0) != 0 || a.family != ADDR_V4 ||
	    addr_scope(&a) == ADDR_UNUSABLE)
		return fault_set(f, ERR_VALUE,
		    "'%s' is not an IPv4 address at which a node is reached "
		    "(ADDRESS or ADDRESS:PORT)",
		    v);
	c->public_address = a;
	return 0;
}

static int
set_relay(struct config *c, const char *v, struct fault *f)
{
	if (strcmp(v, "auto") == 0)
		c->relay = CONFIG_RELAY_AUTO;
	else if (strcmp(v, "off") == 0)
		c->relay = CONFIG_RELAY_OFF;
	else if (strcmp(v, "friends") == 0)
		c->relay = CONFIG_RELAY_FRIENDS;
	else if (strcmp(v, "open") == 0)
		c->relay = CONFIG_RELAY_OPEN;
	else
		return fault_set(f, ERR_VALUE,
		    "'%s' is none of auto, off, friends, open", v);
	return 0;
}

static int
add_relay_allow(struct config *c, const char *text, struct fault *f)
{
	char problem[TEXT_PROBLEM_MAX];

	if (c->relay_allow_len == RELAY_ALLOW_MAX)
		return fault_set(
		    f, ERR_VALUE, "more than %d keys", RELAY_ALLOW_MAX);
	if (c->relay_allow == NULL) {
		c->relay_allow = calloc(RELAY_ALLOW_MAX, TEXT_KEY_LEN);
		if (c->relay_allow == NULL)
			return fault_set_code(f, ERR_MEMORY);
	}
	if (text_key_parse(c->relay_allow[c->relay_allow_len], text) != 0)
		return fault_set(
		    f, ERR_VALUE, "%s", text_key_problem(problem, text));
	c->relay_allow_len++;
	return 0;
}

static int
set_relay_allow(struct config *c, const char *v, struct fault *f)
{
	char *list = strdup(v), *rest = list, *item;
	int rc = list == NULL ? fault_set_code(f, ERR_MEMORY) : 0;

	while (rc == 0 && (item = strsep(&rest, ",")) != NULL) {
		item += strspn(item, " \t");
		item[strcspn(item, " \t")] = '\0';
		rc = add_relay_allow(c, item, f);
	}
	free(list);
	return rc;
}

/* Parses "30G" or "30G per month", or per day. Returns 0 or ERR_VALUE. */
static int
parse_volume(const char *text, uint64_t *month)
{
	static const char units[] = "kMGT";
	uint64_t days = 30, n, factor = 1;
	const char *unit;
	char *end;

	if (*text < '0' || *text > '9')
		return ERR_VALUE;
	errno = 0;
	n = strtoull(text, &end, 10);
	unit = *end != '\0' ? strchr(units, *end) : NULL;
	if (unit != NULL) {
		end++;
		for (const char *u = units; u <= unit; u++)
			factor *= 1000;
	}
	if (strcmp(end, " per day") == 0)
		factor *= days;
	else if (*end != '\0' && strcmp(end, " per month") != 0)
		return ERR_VALUE;
	if (errno != 0 || n > RELAY_VOLUME_TOP / factor ||
	    n * factor < RELAY_VOLUME_MIN)
		return ERR_VALUE;
	*month = n * factor;
	return 0;
}

static int
set_relay_volume(struct config *c, const char *v, struct fault *f)
{
	c->relay_volume = 0;
	if (strcmp(v, "none") != 0 && parse_volume(v, &c->relay_volume) != 0)
		return fault_set(f, ERR_VALUE,
		    "'%s' is no volume from 1M to 1000T (30G per month, 1G "
		    "per day, none)",
		    v);
	return 0;
}

static int
set_relay_through(struct config *c, const char *v, struct fault *f)
{
	char problem[TEXT_PROBLEM_MAX];

	c->finds_relays = strcmp(v, "found") == 0;
	c->names_relay = !c->finds_relays && strcmp(v, "none") != 0;
	if (c->names_relay && text_key_parse(c->relay_through, v) != 0)
		return fault_set(
		    f, ERR_VALUE, "%s", text_key_problem(problem, v));
	return 0;
}

static int
set_role(struct config *c, const char *v, struct fault *f)
{
	if (strcmp(v, "auto") == 0)
		c->role = DHT_AUTO;
	else if (strcmp(v, "persistent") == 0)
		c->role = DHT_PERSISTENT;
	else if (strcmp(v, "bootstrap") == 0)
		c->role = DHT_BOOTSTRAP;
	else
		return fault_set(f, ERR_VALUE,
		    "'%s' is none of auto, persistent, bootstrap", v);
	return 0;
}

static int
set_test_tick_ms(struct config *c, const char *v, struct fault *f)
{
	return set_number(v, 1, TICK_MS, &c->tick_ms, f);
}

static const struct {
	const char *name;
	int (*set)(struct config *c, const char *v, struct fault *f);
} keys[CONF_KEYS] = {
    [CONF_ANNOUNCE_INTERVAL] = {"announce-interval", set_announce_interval},
    [CONF_BOOTSTRAP] = {"bootstrap", set_bootstrap},
    [CONF_CONTROL] = {"control", set_control},
    [CONF_HOST] = {"host", set_host},
    [CONF_IPV6] = {"ipv6", set_ipv6},
    [CONF_LOG_LEVEL] = {"log-level", set_log_level},
    [CONF_PORT] = {"port", set_port},
    [CONF_PRIVATE_NETWORK] = {"private-network", set_private_network},
    [CONF_PUBLIC_ADDRESS] = {"public-address", set_public_address},
    [CONF_RELAY] = {"relay", set_relay},
    [CONF_RELAY_ALLOW] = {"relay-allow", set_relay_allow},
    [CONF_RELAY_THROUGH] = {"relay-through", set_relay_through},
    [CONF_RELAY_VOLUME] = {"relay-volume", set_relay_volume},
    [CONF_ROLE] = {"role", set_role},
    [CONF_STATE_DIR] = {"state-dir", set_state_dir},
    [CONF_TEST_TICK_MS] = {"test-tick-ms", set_test_tick_ms},
};

void
config_init(struct config *c)
{
	*c = (struct config){
	    .log_level = LOG_LEVEL_NOTICE,
	    .role = DHT_AUTO,
	    .host = addr_v4(0, 0, 0, 0, 0),
	    .port_first = PORT_AUTO_FIRST,
	    .port_last = PORT_AUTO_LAST,
	    .port_any = true,
	    .announce_ms = ANNOUNCE_SECONDS * 1000,
	    .ipv6 = true,
	    .finds_relays = true,
	    .tick_ms = TICK_MS,
	};
	limits_init(&c->limits);
}

void
config_fini(struct config *c)
{
	free(c->bootstrap);
	free(c->relay_allow);
	for (unsigned i = 0; i < CONF_KEYS; i++)
		free(c->text[i]);
}

const char *
config_name(unsigned i)
{
	if (i < CONF_KEYS)
		return keys[i].name;
	i -= CONF_KEYS;
	if (i < limit_table_len)
		return limit_table[i].name;
	i -= limit_table_len;
	return i < limit_aliases_len ? limit_aliases[i].old_name : NULL;
}

static int
set_limit(struct config *c, const struct limit_info *info, const char *value,
    struct fault *f)
{
	uint32_t v;
	int err = set_number(value, info->low, info->high, &v, f);

	if (err != 0)
		return err;
	memcpy((char *)&c->limits + info->offset, &v, sizeof v);
	return 0;
}

/* Appends the text to that of the key, separated by a comma. */
static int
keep_text(struct config *c, unsigned key, const char *value, struct fault *f)
{
	char *old = c->text[key], *text;
	size_t len = strlen(value) + 1;

	if (old != NULL)
		len += strlen(old) + 1;
	text = malloc(len);
	if (text == NULL)
		return fault_set_code(f, ERR_MEMORY);
	snprintf(text, len, "%s%s%s", old != NULL ? old : "",
	    old != NULL ? "," : "", value);
	free(old);
	c->text[key] = text;
	return 0;
}

/* Removes the value of the last source, which the next one replaces. */
static void
clear_key(struct config *c, unsigned key)
{
	free(c->text[key]);
	c->text[key] = NULL;
	if (key == CONF_BOOTSTRAP)
		c->bootstrap_len = 0;
	else if (key == CONF_RELAY_ALLOW)
		c->relay_allow_len = 0;
}

static int
set_key(struct config *c, unsigned key, const char *value,
    enum config_source source, struct fault *f)
{
	bool add = (key == CONF_BOOTSTRAP || key == CONF_RELAY_ALLOW) &&
		   source == FROM_COMMAND && c->source[key] == FROM_COMMAND;
	int err;

	if (!add)
		clear_key(c, key);
	c->source[key] = source;
	err = keys[key].set(c, value, f);
	if (err != 0)
		return err;
	return keep_text(c, key, value, f);
}

int
config_set(struct config *c, const char *name, const char *value,
    enum config_source source, struct fault *f)
{
	const struct limit_info *limit;

	for (unsigned i = 0; i < CONF_KEYS; i++)
		if (strcmp(keys[i].name, name) == 0)
			return set_key(c, i, value, source, f);
	limit = limit_find(name);
	if (limit != NULL)
		return set_limit(c, limit, value, f);
	return fault_set(f, ERR_UNKNOWN, "there is no such key");
}

/* Writes the path, or an empty string if it does not fit. */
__attribute__((format(printf, 3, 4))) static void
make_path(char *out, size_t max, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(out, max, fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= max)
		*out = '\0';
}

static void
default_state_dir(char *out, size_t max)
{
	const char *service = getenv("STATE_DIRECTORY");
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	*out = '\0';
	if (service != NULL)
		make_path(out, max, "%s", service);
	else if (geteuid() == 0)
		make_path(out, max, "/var/lib/hyperdhtd");
	else if (xdg != NULL)
		make_path(out, max, "%s/hyperdhtd", xdg);
	else if (home != NULL)
		make_path(out, max, "%s/.local/state/hyperdhtd", home);
}

static void
default_control(char *out, size_t max)
{
	const char *service = getenv("RUNTIME_DIRECTORY");
	const char *xdg = getenv("XDG_RUNTIME_DIR");

	*out = '\0';
	if (service != NULL)
		make_path(out, max, "%s/control.sock", service);
	else if (geteuid() == 0)
		make_path(out, max, "/run/hyperdhtd/control.sock");
	else if (xdg != NULL)
		make_path(out, max, "%s/hyperdhtd/control.sock", xdg);
}

static int
finish_paths(struct config *c, struct fault *f)
{
	if (*c->state_dir == '\0')
		default_state_dir(c->state_dir, sizeof c->state_dir);
	if (*c->control == '\0')
		default_control(c->control, sizeof c->control);
	if (*c->state_dir == '\0')
		return fault_set(f, ERR_VALUE,
		    "there is no default for the state directory "
		    "here: set 'state-dir'");
	if (*c->control == '\0')
		return fault_set(f, ERR_VALUE,
		    "there is no default for the control socket "
		    "here: set 'control'");
	return 0;
}

int
config_finish(struct config *c, struct fault *f)
{
	bool exact = c->port_first == c->port_last;

	if (c->role == DHT_BOOTSTRAP) {
		if (c->public_address.family == ADDR_NONE)
			return fault_set(f, ERR_VALUE,
			    "role 'bootstrap' needs "
			    "'public-address': the address at "
			    "which other nodes reach it");
		if (!exact)
			return fault_set(f, ERR_VALUE,
			    "role 'bootstrap' needs a fixed 'port', "
			    "such as %d, instead of 'auto'",
			    PORT_AUTO_FIRST);
		if (c->public_address.port == 0)
			c->public_address.port = c->port_first;
	} else if (c->public_address.family != ADDR_NONE) {
		return fault_set(f, ERR_VALUE,
		    "'public-address' is used only by role "
		    "'bootstrap': other nodes learn their "
		    "address from replies");
	}
	if (c->relay == CONFIG_RELAY_FRIENDS && c->relay_allow_len == 0)
		return fault_set(f, ERR_VALUE,
		    "relay 'friends' needs 'relay-allow': the public keys "
		    "for which this node relays");
	if (c->relay == CONFIG_RELAY_AUTO && c->text[CONF_RELAY_VOLUME] == NULL)
		c->relay_volume = RELAY_AUTO_VOLUME;
	return finish_paths(c, f);
}

bool
config_relays(const struct config *c)
{
	/* A node that promotes itself has the role auto, too. */
	return c->relay != CONFIG_RELAY_OFF &&
	       (c->relay != CONFIG_RELAY_AUTO || c->role != DHT_AUTO);
}

void
config_dht(const struct config *c, struct dht_config *out)
{
	dht_config_init(out);
	out->role = c->role;
	out->host = c->host;
	out->port_first = c->port_first;
	out->port_last = c->port_last;
	out->port_any = c->port_any;
	out->public_address = c->public_address;
	out->bootstrap = c->bootstrap;
	out->bootstrap_len = c->bootstrap_len;
	out->private_network = c->private_network;
	out->tick_ms = c->tick_ms;
}
