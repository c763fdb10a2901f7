/* SPDX-License-Identifier: ISC */
/*
 * stream_path.h - the path of a stream: where it sends, and from which
 * addresses it accepts packets (protocol 05 §3, §9).
 *
 * Knows no stream and sends nothing.
 */
#ifndef UDX_STREAM_PATH_H
#define UDX_STREAM_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "udx/udx.h"

enum path_state {
	PATH_NONE, /* not connected: packets are accepted from anywhere */
	PATH_IN_USE,
	PATH_MIGRATING, /* the previous address is still accepted */
};

struct stream_path {
	enum path_state state;
	struct udx_path current;
	struct addr previous;   /* while migrating */
	uint32_t migration_seq; /* una at which the migration is complete */
	struct addr allowed[UDX_SOURCES_MAX]; /* newest first */
	uint64_t hosts[UDX_HOSTS_MAX];        /* allowed with any port */
	uint8_t allowed_len;
	uint8_t hosts_len;
	/* The last source of a packet that is not the current path. */
	bool source_seen;
	struct udx_source source;
};

/* How a source address relates to the path. */
enum path_source { SOURCE_CURRENT, SOURCE_ALLOWED, SOURCE_UNKNOWN };

static inline bool
stream_path_is_set(const struct stream_path *p)
{
	return p->state != PATH_NONE;
}

/* Begins to use a path (state PATH_IN_USE). */
void stream_path_set(struct stream_path *p, const struct udx_path *to);

/*
 * Changes to another path (state PATH_MIGRATING), until what was sent before
 * `seq` is acknowledged.
 */
void stream_path_migrate(
    struct stream_path *p, const struct udx_path *to, uint32_t seq);

/*
 * Ends a migration once una has reached its sequence number. Returns true if
 * it has ended by this call.
 */
bool stream_path_check_migrated(struct stream_path *p, uint32_t una);

/* Classifies the source of a datagram; notes it unless SOURCE_CURRENT. */
enum path_source stream_path_classify(
    struct stream_path *p, const struct dgram *dg);

/* Notes the source of a datagram for udx_source(). */
void stream_path_note_source(
    struct stream_path *p, const struct dgram *dg, bool accepted);

/* Adds an address to those allowed; drops the oldest at the limit. */
void stream_path_allow(struct stream_path *p, const struct addr *a);

/* Adds a host to those allowed with any port; does nothing at the limit. */
void stream_path_allow_host(struct stream_path *p, const struct addr *host);
void stream_path_forget_hosts(struct stream_path *p);

/*
 * Copies the addresses accepted besides the current one; returns how many,
 * UDX_SOURCES_MAX + 1 at most.
 */
uint8_t stream_path_other_sources(
    const struct stream_path *p, struct addr *out);

#endif
