/* SPDX-License-Identifier: ISC */
/*
 * config.h - what the operator has set.
 *
 * One table of keys, read from a file (libconfuse) and from the command line,
 * where each key is a long option of the same name and wins. Turns text into
 * checked values and says what is wrong in words; acts on nothing. Uses: base,
 * dht, log, libconfuse.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/limits.h"
#include "dht/bootstrap.h"
#include "dht/dht.h"
#include "log/log.h"

enum {
	STATE_DIR_MAX = 1024,
	CONTROL_PATH_MAX = 108, /* of a UNIX socket's address, unix(7) */
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
	CONF_ROLE,
	CONF_STATE_DIR,
	CONF_TEST_TICK_MS,
	CONF_KEYS
};

/* Who has set a key. */
enum config_source { FROM_DEFAULT, FROM_FILE, FROM_COMMAND };

/* Set in this order: what comes later wins. */
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
	uint32_t announce_ms, tick_ms;
	struct limits limits;
	char state_dir[STATE_DIR_MAX];
	char control[CONTROL_PATH_MAX];

	/* Each key as it was written, NULL where it was not; owned. */
	char *text[CONF_KEYS];
	enum config_source source[CONF_KEYS];
};

/* All at their defaults. */
void config_init(struct config *c);
void config_fini(struct config *c);

/* The i-th name of a key, limits included; NULL after the last. */
const char *config_name(unsigned i);

/*
 * Sets a key from text. 0, or -1 with the reason in err (ERR_REASON_MAX
 * bytes), without the place, which the caller knows. The parts of a list that
 * the command line gives add up.
 */
int config_set(struct config *c, const char *name, const char *value,
    enum config_source source, char *err);

/* Reads a file over c. 0, or -1 with "file:line: reason" in err. */
int config_read(struct config *c, const char *path, char *err);

/* Fills in the paths left open and checks what keys say together. */
int config_finish(struct config *c, char *err);

/* What the core wants to know of it; borrows c's lists. */
void config_dht(const struct config *c, struct dht_config *out);

#endif
