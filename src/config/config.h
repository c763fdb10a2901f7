/* SPDX-License-Identifier: ISC */
/*
 * config.h - the configuration of the daemon.
 *
 * One table of keys, read from a file (libconfuse) and from the command line,
 * where each key is a long option of the same name and takes precedence.
 * Checks values and describes what is wrong with them; applies nothing. Uses:
 * api, base, dht, log, libconfuse.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/text.h"
#include "base/addr.h"
#include "base/fault.h"
#include "base/limits.h"
#include "dht/bootstrap.h"
#include "dht/dht.h"
#include "log/log.h"

enum {
	STATE_DIR_MAX = 1024,
	CONTROL_PATH_MAX = 108, /* sun_path of a UNIX socket address, unix(7) */
	RELAY_ALLOW_MAX = 1024,
};

/* Keys other than the limits of base/limits.h, which are keys as well. */
enum config_key {
	CONF_ANNOUNCE_INTERVAL,
	CONF_BOOTSTRAP,
	CONF_CONTROL,
	CONF_HOST,
	CONF_IPV6,
	CONF_LOG_LEVEL,
	CONF_PORT,
	CONF_PRIVATE_NETWORK,
	CONF_PUBLIC_ADDRESS,
	CONF_RELAY,
	CONF_RELAY_ALLOW,
	CONF_RELAY_THROUGH,
	CONF_RELAY_VOLUME,
	CONF_ROLE,
	CONF_STATE_DIR,
	CONF_TEST_TICK_MS,
	CONF_KEYS
};

/* The peers that this node relays for. */
enum config_relay {
	CONFIG_RELAY_AUTO, /* for all, where the configuration sets the role */
	CONFIG_RELAY_OFF,
	CONFIG_RELAY_FRIENDS,
	CONFIG_RELAY_OPEN
};

/* Where the value of a key comes from. */
enum config_source { FROM_DEFAULT, FROM_FILE, FROM_COMMAND };

/* The values of all keys. Sources are read in the order of config_source; a
 * later one replaces the value of an earlier one. */
struct config {
	enum log_level log_level;
	enum dht_role role;
	struct addr host;
	uint16_t port_first, port_last; /* one exact port if equal */
	bool port_any;
	struct addr public_address;        /* family none: not given */
	struct bootstrap_entry *bootstrap; /* owned */
	size_t bootstrap_len;
	bool private_network;
	bool ipv6;
	bool finds_relays;
	enum config_relay relay;
	uint8_t (*relay_allow)[TEXT_KEY_LEN]; /* public keys; owned */
	size_t relay_allow_len;
	uint64_t relay_volume; /* bytes per month of 30 days; 0: no limit */
	bool names_relay;
	uint8_t relay_through[TEXT_KEY_LEN]; /* public key */
	uint32_t announce_ms, tick_ms;
	struct limits limits;
	char state_dir[STATE_DIR_MAX];
	char control[CONTROL_PATH_MAX];

	/* Each key as it was written, NULL if it was not set; owned. */
	char *text[CONF_KEYS];
	enum config_source source[CONF_KEYS];
};

/* Sets all keys to their defaults. */
void config_init(struct config *c);

/* Frees what the configuration owns. */
void config_fini(struct config *c);

/* Returns the i-th name of a key, limits and their former names included, or
 * NULL after the last. */
const char *config_name(unsigned i);

/*
 * Sets a key from text. Returns 0, ERR_UNKNOWN if there is no such key, or
 * another error with *f set; its text does not name the place, which the caller
 * adds. Several lists of the command line are joined.
 */
int config_set(struct config *c, const char *name, const char *value,
    enum config_source source, struct fault *f)
    __attribute__((warn_unused_result));

/* Reads a file into c. Returns 0, or an error with "file:line: reason" in *f;
 * then c may hold some of the file's values. */
int config_read(struct config *c, const char *path, struct fault *f)
    __attribute__((warn_unused_result));

/* Sets the paths that no source has set and checks keys that depend on each
 * other. Returns 0, or an error with *f set. */
int config_finish(struct config *c, struct fault *f)
    __attribute__((warn_unused_result));

/* Returns true if this node relays for others. */
bool config_relays(const struct config *c);

/* Copies the keys of the DHT into *out, which borrows c's lists. */
void config_dht(const struct config *c, struct dht_config *out);

#endif
