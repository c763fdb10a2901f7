/* SPDX-License-Identifier: ISC */
/*
 * forward.h - the keys that announced themselves here, protocol 02 §6.
 *
 * One entry per target: the record, and the address that announced it, which
 * the router forwards to. Servers send a packet every few seconds to the nodes
 * that they announced themselves to. An entry is not returned while its host is
 * silent. Uses: base, crypto.
 */
#ifndef RECORDS_FORWARD_H
#define RECORDS_FORWARD_H

#include "records/cache.h"
#include "records/record.h"

/*
 * Several pings have been missed after this time: servers send one every 3 to
 * 5 s, those of this project at least every 25 s if the NAT mapping lasts.
 */
enum { FORWARD_SILENT_S = 60 };

struct forwards {
	struct cache entries;
};

/* Returns what the table takes with these limits, at most. */
size_t forwards_bytes_max(const struct limits *l);

/* Borrows key and stats. The table must not be moved afterwards. */
void forwards_init(struct forwards *f, const struct limits *l,
    const struct hash_key *key, struct stats *st);
void forwards_fini(struct forwards *f);
void forwards_set_limits(struct forwards *f, const struct limits *l);

/* Stores a record in place of an older one. Returns 0 or ERR_MEMORY. */
int forwards_set(struct forwards *f, const struct writer *w,
    const uint8_t *target, const struct peer_record *p);
void forwards_del(struct forwards *f, uint32_t now_s, const uint8_t *target);

/*
 * Finds an entry if its host is not silent. Returns its record, which is
 * borrowed until the next change, and its address; both may be NULL.
 */
bool forwards_find(const struct forwards *f, uint32_t now_s,
    const uint8_t *target, struct peer_record *p, struct addr *to);

/* Notes that a packet was received from a host. */
void forwards_note_host(
    struct forwards *f, const struct addr *from, uint32_t now_s);

#endif
