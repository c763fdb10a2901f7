/* SPDX-License-Identifier: ISC */
/*
 * daemon.h - one running daemon: the node, the loop that drives it, and what
 * is kept on disk.
 *
 * Every callback of the loop that touches the node begins with daemon_wake(),
 * which sets the clock, and ends with daemon_settle(), which hands out the
 * news, sends the batch and arms the timer. Uses: api, base, crypto, dht,
 * node, libevent.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/keys.h"
#include "daemon/config.h"
#include "daemon/keep.h"
#include "daemon/keyring.h"
#include "daemon/netlink.h"
#include "daemon/notify.h"
#include "daemon/state.h"
#include "daemon/world.h"
#include "node/node.h"

struct control;
struct event;
struct event_base;
struct identity;
struct options;

enum { DAEMON_SIGNALS = 3 };

struct daemon {
	struct event_base *base;
	struct node *node;
	struct control *control;
	struct config config;
	const struct key_pair *identity; /* locked memory */
	bool identity_saved;             /* false: it ends with this process */
	struct keyring keyring;          /* identities of local users */

	/* The rest is for daemon/ files other than the control socket's. */
	const struct options *options;
	struct real_world world;
	struct state state;
	struct identity *key;
	struct keep keep;
	struct notify notify;
	struct netlink netlink;
	struct event *timer, *leave, *watchdog;
	struct event *signals[DAEMON_SIGNALS];
	uint64_t armed_us; /* what the timer is set to */
	bool stopping;
};

/* Exit codes, sysexits.h where it has one. */
enum {
	DAEMON_OK = 0,
	DAEMON_FAILED = 1,
	DAEMON_USAGE = 64,
	DAEMON_PORT_TAKEN = 69, /* EX_UNAVAILABLE */
	DAEMON_BAD_CONFIG = 78, /* EX_CONFIG */
};

/* Runs until it is told to stop; takes the configuration. Its exit code. */
int daemon_run(const struct options *o, struct config *c);

/* Begin and end of every callback that touches the node, see above. */
void daemon_wake(struct daemon *d);
void daemon_settle(struct daemon *d);

/*
 * Leaves the network and ends the loop, within 2 s; called again: at once.
 * Returns before anything is closed, so a control command may call it.
 */
void daemon_stop(struct daemon *d);

/*
 * Reads the configuration again. 0, or -1 with the reason in err
 * (CONFIG_ERROR_MAX bytes); then all stays as it was.
 */
int daemon_reload(struct daemon *d, char *err);

/*
 * node_announce() and node_unannounce(), kept across restarts: the list of
 * topics is on disk when these return (or the log says why it is not).
 */
int daemon_announce(struct daemon *d, const uint8_t *topic, uint32_t *op);
int daemon_unannounce(struct daemon *d, const uint8_t *topic, uint32_t *op);

/*
 * Makes a new identity for the next start and stores its public key; the old
 * key file is kept beside it. 0, or -1 with the reason in err
 * (CONFIG_ERROR_MAX bytes).
 */
int daemon_key_new(struct daemon *d, uint8_t public_key[KEY_LEN], char *err);

#endif
