/* SPDX-License-Identifier: ISC */
/*
 * forward.h - who announced itself under the hash of its own key, protocol 02
 * §6.
 *
 * One entry per target: its record, and the address from which it announced,
 * to which the router forwards. Servers speak to the nodes that they announced
 * themselves to every few seconds; an entry whose host is silent is not
 * offered, until that host is heard again. Uses: base, crypto.
 */
#ifndef RECORDS_FORWARD_H
#define RECORDS_FORWARD_H

#include "records/cache.h"
#include "records/record.h"

/* Several missed rounds of pings: servers send one every 3 to 5 s, those of
 * this project behind a patient NAT every 25 s at the least. */
enum { FORWARD_SILENT_S = 60 };

struct forwards {
	struct cache entries;
};

/* Borrows key and stats. Must not be moved afterwards. */
void forwards_init(struct forwards *f, const struct limits *l,
    const struct hash_key *key, struct stats *st);
void forwards_fini(struct forwards *f);
void forwards_set_limits(struct forwards *f, const struct limits *l);

/* 0 or ERR_MEMORY; replaces what is there. */
int forwards_set(struct forwards *f, const struct writer *w,
    const uint8_t *target, const struct peer_record *p);
void forwards_del(struct forwards *f, uint32_t now_s, const uint8_t *target);

/*
 * The entry that may be offered: its record, borrowed until the next change,
 * and its address. Either may be NULL if it is not wanted.
 */
bool forwards_find(const struct forwards *f, uint32_t now_s,
    const uint8_t *target, struct peer_record *p, struct addr *to);

/* Something came from this host. */
void forwards_note_host(
    struct forwards *f, const struct addr *from, uint32_t now_s);

#endif
