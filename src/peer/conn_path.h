/* SPDX-License-Identifier: ISC */
/*
 * conn_path.h - the path candidates of one connection.
 *
 * The stream uses the first candidate that is added. The dialer sends open
 * probes to the others, and the server connects to the source address of its
 * client's first packet; so the candidate over which a packet is received is
 * the one that the peer uses. Uses: base, udx, punch.
 */
#ifndef PEER_CONN_PATH_H
#define PEER_CONN_PATH_H

#include "base/addr.h"
#include "base/limits.h"
#include "base/timer.h"
#include "peer/conn.h"
#include "peer/dial_record.h"
#include "udx/udx.h"

struct conn_path {
	enum conn_path_kind kind;
	int sock;
	struct addr to;
	uint64_t answer_us; /* earliest next probe because of its packets */
};

struct conn_paths {
	struct conn_path list[CONN_PATHS_MAX];
	uint8_t len;
	uint8_t current;       /* the path of the stream */
	bool drained;          /* all that we wrote was acknowledged once */
	struct timer probe;    /* dialer: repeats the open probes */
	uint32_t probe_ms;     /* until the next one */
	struct timer check;    /* server: is anything of ours acknowledged? */
	uint64_t handshake_us; /* when the handshake was completed */
	uint64_t rtt_us;       /* of the handshake; 0: unknown */
};

void conn_paths_init(struct conn *c);
void conn_paths_fini(struct conn *c);

/* Notes when the handshake was completed: the first RTT is derived from it. */
void conn_paths_begin(struct conn *c);

/* Appends a step with the path to the record of the dial. */
void conn_record_path(
    struct conn *c, enum dial_step_kind kind, const struct conn_path *path);

/* Sends an open probe of the stream, unless the budget of the host, which the
 * peer has named, is used up. */
void conn_probe_path(struct conn *c, const struct udx_path *path);

/* Adds the source address of the last packet as a candidate, if it is one. */
void conn_add_source(struct conn *c);

/* Handles the verified header: moves the stream to the peer's path. */
void conn_paths_settle(struct conn *c);

/* Notes that all that we wrote was acknowledged. */
void conn_paths_drained(struct conn *c);

/* Returns true if anything of ours was acknowledged. */
bool conn_is_two_way(const struct conn *c);

/* Returns true if the socket stays open as long as a stream uses it. */
bool conn_may_use(const struct conn *c, int sock);

/* Returns the id of the stream that packets on this path are sent to: that of
 * the peer, or of the relay. */
uint32_t conn_stream_id_at(
    const struct conn *c, int sock, const struct addr *to);

/* Returns true if the path is in the list of candidates. */
bool conn_knows_path(const struct conn *c, int sock, const struct addr *to);

/* Returns true if the stream uses this path. */
bool conn_uses_path(const struct conn *c, int sock, const struct addr *to);

/*
 * Migrates the stream to a path over which the peer has just proved itself.
 * Returns false if the stream uses it already, or the socket may not be used.
 */
bool conn_migrate_to(struct conn *c, int sock, const struct addr *to);

#endif
