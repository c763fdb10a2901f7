/* SPDX-License-Identifier: ISC */
/*
 * daemon.h - one running daemon: the node, the event loop that drives it, its
 * state on disk and the control server.
 *
 * Every callback of the event loop that uses the node starts with daemon_wake()
 * and ends with daemon_settle(). Uses: api, base, config, control,
 * crypto, dht, log, net, node, store, tunnel, libevent.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "config/config.h"
#include "crypto/keys.h"
#include "daemon/healing.h"
#include "daemon/notify.h"
#include "daemon/watchdog.h"
#include "net/netlink.h"
#include "net/real_world.h"
#include "node/node.h"
#include "store/keyring.h"
#include "store/peer_names.h"
#include "store/persistent.h"
#include "store/state.h"
#include "store/stored_volume.h"
#include "tunnel/tunnels.h"

struct control;
struct event;
struct event_base;
struct identity;
struct options;

enum { DAEMON_SIGNALS = 3 };

/* The daemon owns all of these; they are created in the order of
 * start_daemon(). */
struct daemon {
	struct event_base *base;
	struct node *node;
	struct control *control;
	struct config config;
	const struct key_pair *identity; /* locked memory */
	bool identity_saved;             /* the next start has the same */
	struct keyring keyring;          /* identities of local users */

	const struct options *options;
	struct real_world world;
	struct state state;
	struct identity *key, *relay_key;
	struct persistent_state persistent;
	struct peer_names names;
	struct tunnels tunnels;
	struct stored_volume volume;
	struct notify notify;
	struct netlink netlink;
	struct event *timer, *leave, *watchdog;
	struct event *signals[DAEMON_SIGNALS];
	uint64_t armed_us; /* when the timer is due */
	struct watchdog alive;
	struct healing healing;
	bool stopping;
};

/* Exit codes, those of sysexits.h where it has one; the manual page is made
 * from this list. */
/* clang-format off */
#define DAEMON_EXIT_LIST(X) \
	X(OK, 0, "stopped by a signal or a control client") \
	X(FAILED, 1, "another failure, which the log describes") \
	X(USAGE, 64, "the command line is wrong") \
	X(PORT_TAKEN, 69, "the port is in use") \
	X(BAD_CONFIG, 78, "the configuration is wrong; the log names file, line" \
	    " and remedy")
/* clang-format on */

enum {
#define X(name, code, text) DAEMON_##name = (code),
	DAEMON_EXIT_LIST(X)
#undef X
};

/* Runs the daemon until a signal or a control client stops it. Takes ownership
 * of the configuration. Returns the exit code. */
int daemon_run(const struct options *o, struct config *c);

/* Reads the clock, and informs the node if the machine has slept. */
void daemon_wake(struct daemon *d);

/* Runs due timers, delivers events, sends the transmit batch and arms the
 * timer. */
void daemon_settle(struct daemon *d);

/*
 * Leaves the network and then ends the event loop, within 2 s, or at once if
 * called again. Closes nothing before it returns, so a control method may call
 * it.
 */
void daemon_stop(struct daemon *d);

/* Reads the configuration again and applies it. Returns 0, or an error with *f
 * set and logged; then the old configuration stays in force. */
int daemon_reload(struct daemon *d, struct fault *f);

#endif
