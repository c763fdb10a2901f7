/* SPDX-License-Identifier: ISC */
/*
 * swarm.h - which peers to connect to: topics, peers and retries; protocol 08.
 *
 * One swarm has one key pair, under which it listens, announces all of its
 * topics and dials. It decides; its owner looks topics up, dials and closes
 * through struct swarm_ops and reports back what has happened. A peer has one
 * connection at a time, however many topics it shares. The number of peers
 * that are remembered is bounded, and an accepted connection counts against
 * limits of its own. Uses: base, crypto.
 */
#ifndef SWARM_SWARM_H
#define SWARM_SWARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/core.h"
#include "crypto/keys.h"

struct swarm;

enum { SWARM_RELAYS_MAX = 3 };

enum swarm_change {
	SWARM_PEER_FOUND,     /* by a lookup, for the first time */
	SWARM_PEER_CONNECTED, /* the connection is its owner's from now on */
	SWARM_PEER_LOST,      /* err: why */
	SWARM_PEER_REFUSED,   /* err: ERR_LIMIT or ERR_REFUSED */
};

struct swarm_event {
	enum swarm_change change;
	const uint8_t *key; /* of the peer; borrowed */
	uint32_t conn;      /* 0: none */
	int err;
};

/*
 * The orders of a swarm. None may call the swarm again before it returns.
 * Topics are 32 bytes and are borrowed during the call.
 */
struct swarm_ops {
	/* Starts to listen; swarm_listening() follows. */
	void (*listen)(void *owner);
	/* Looks the topic up; swarm_found() and swarm_looked_up() follow. A
	 * lookup of this topic that is in progress is cancelled. */
	void (*lookup)(void *owner, const uint8_t *topic);
	/* Announces the key; swarm_announced() follows. */
	void (*announce)(void *owner, const uint8_t *topic);
	/* Withdraws the announcement; nothing follows. */
	void (*withdraw)(void *owner, const uint8_t *topic);
	/* Cancels a lookup without a swarm_looked_up(). */
	void (*cancel)(void *owner, const uint8_t *topic);
	/* Dials a peer. Returns the number of the connection, for which
	 * swarm_opened() or swarm_closed() follows, or 0. */
	uint32_t (*dial)(void *owner, const uint8_t *key,
	    const struct addr *relays, size_t relays_len);
	/* Closes a connection; no swarm_closed() follows. */
	void (*close)(void *owner, uint32_t conn);
	/* Sends an empty frame, so that a dead connection is noticed. */
	void (*probe)(void *owner, uint32_t conn);
	/* Returns whether frames were sent and received after the header. */
	bool (*is_used)(void *owner, uint32_t conn);
	void (*report)(void *owner, const struct swarm_event *e);
};

struct swarm_config {
	uint8_t own_key[KEY_LEN];
	const struct swarm_ops *ops;
	void *owner;
	/* Keys that may be dialed and accepted; none: all. Borrowed. */
	const uint8_t (*allow)[KEY_LEN];
	size_t allow_len;
	/* Look a new topic up again soon: members that join at once miss each
	 * other, as each looks up before the other is announced. */
	bool early_lookups;
};

/* Borrows the core for its life. Returns NULL if memory is short. */
struct swarm *swarm_new(
    const struct core *core, const struct swarm_config *config);

/* Gives no orders: the owner ends what is in progress. Accepts NULL. */
void swarm_free(struct swarm *s);

/* ---- topics ---- */

enum { SWARM_SERVER = 1 << 0, SWARM_CLIENT = 1 << 1 };

/*
 * Joins a topic in these roles and stores the number of the session. limit: how
 * many peers found under the topic are connected at a time; 0: no limit.
 * Returns 0, or ERR_VALUE (no role), ERR_LIMIT or ERR_MEMORY.
 */
int swarm_join(struct swarm *s, const uint8_t *topic, unsigned roles,
    uint32_t limit, uint32_t *session);

/* Changes the roles of a session, at least one. Ignores unknown numbers. */
void swarm_change(struct swarm *s, uint32_t session, unsigned roles);

/* Ends a session; the last one of a topic withdraws the announcement. Peers of
 * no other topic are not dialed any more. Connections stay. */
void swarm_leave(struct swarm *s, uint32_t session);

/* Leaves all topics and closes the dials that are not open yet. */
void swarm_leave_all(struct swarm *s);

bool swarm_has_topic(const struct swarm *s, const uint8_t *topic);
uint32_t swarm_topics_len(const struct swarm *s);

struct swarm_topic_status {
	uint32_t number;
	const uint8_t *topic; /* borrowed */
	unsigned roles;
	uint32_t sessions_len, limit;
	uint32_t peers_len, connected_len; /* found under it */
	bool announced;
	int err;          /* of the last refresh */
	uint64_t next_us; /* until the next one */
};

/* Writes the topic with the lowest number above `after` to *out; returns false
 * at the end. */
bool swarm_topic_after(
    const struct swarm *s, uint32_t after, struct swarm_topic_status *out);

/* ---- reports of the owner ---- */

void swarm_listening(struct swarm *s);

/* Reports that the listener could not start: the next topic that is joined as a
 * server orders it again. */
void swarm_not_listening(struct swarm *s);
void swarm_looked_up(struct swarm *s, const uint8_t *topic, int err);
void swarm_announced(struct swarm *s, const uint8_t *topic, int err);
void swarm_found(struct swarm *s, const uint8_t *topic, const uint8_t *key,
    const struct addr *relays, size_t relays_len);

/* Reports that a dial is open. */
void swarm_opened(struct swarm *s, uint32_t conn);

/*
 * Reports that a connection has ended. relay_ms: a first dial found no path,
 * and one through a relay may succeed after this time; 0: it found none, or
 * failed otherwise.
 */
void swarm_closed(struct swarm *s, uint32_t conn, int err, uint32_t relay_ms);

/*
 * Reports a connection that a peer has dialed, whose header was verified.
 * Returns whether it is kept; the caller closes it otherwise. Call it then
 * only, so that a dial that the peer has abandoned displaces nothing.
 */
bool swarm_incoming(struct swarm *s, uint32_t conn, const uint8_t *key,
    const struct addr *remote);

/* Returns whether the connection is one of the swarm. */
bool swarm_has_conn(const struct swarm *s, uint32_t conn);

/* Reports another address of this machine: probes every connection and
 * refreshes all topics, spread over time. */
void swarm_network_changed(struct swarm *s);

/* ---- peers ---- */

/* Dials a peer without a topic, and again for ever. Returns 0, ERR_VALUE (our
 * own key) or ERR_MEMORY. swarm_leave_peer() keeps the connection. */
int swarm_join_peer(struct swarm *s, const uint8_t *key);
void swarm_leave_peer(struct swarm *s, const uint8_t *key);

/* Neither dials nor accepts a key from now on; an open connection stays.
 * Returns 0 or ERR_MEMORY. */
int swarm_ban(struct swarm *s, const uint8_t *key, bool banned);

/* Returns whether the swarm remembers the peer. */
bool swarm_has_peer(const struct swarm *s, const uint8_t *key);

/* Return whether the peer was found under any topic, or under this one. */
bool swarm_peer_has_topics(const struct swarm *s, const uint8_t *key);
bool swarm_peer_has_topic(
    const struct swarm *s, const uint8_t *key, const uint8_t *topic);

struct swarm_peer_status {
	uint32_t number;
	const uint8_t *key; /* borrowed */
	const char
	    *state;    /* idle, queued, waiting, dialing, dialed, accepted */
	uint32_t conn; /* 0: none */
	uint32_t attempts;
	uint64_t age_us;  /* since the connection or the dial began or ended */
	uint64_t next_us; /* until the next dial; 0: not known */
};

/* Writes the peer with the lowest number above `after` to *out; returns false
 * at the end. */
bool swarm_peer_after(
    const struct swarm *s, uint32_t after, struct swarm_peer_status *out);

/* ---- suspension ---- */

/* Withdraws all announcements, closes all connections and dials nothing. */
void swarm_suspend(struct swarm *s);

/* Refreshes all topics and dials the peers again that were connected, queued or
 * waiting. */
void swarm_resume(struct swarm *s);

/*
 * Calls done() once all refreshes in progress have ended, and then as many
 * dials as were queued or in progress; at once if there are none. Only the
 * latest call is answered, with false if another call replaces it or the swarm
 * ends.
 */
void swarm_flush(
    struct swarm *s, void (*done)(void *owner, bool complete), void *owner);

#endif
