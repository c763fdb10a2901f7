/* SPDX-License-Identifier: ISC */
/*
 * stored.h - the stored form of a peer record: the key and up to three relay
 * addresses. Uses: base, crypto.
 */
#ifndef RECORDS_STORED_H
#define RECORDS_STORED_H

#include <string.h>

#include "records/record.h"

/* Consists of bytes only, so that it adds no padding to a cell. */
struct stored_peer {
	uint8_t key[KEY_LEN];
	uint8_t relays[PEER_RELAYS_MAX * ADDR_WIRE4_LEN];
	uint8_t relays_len; /* bytes */
};

/* Copies a record; relay addresses beyond the third are dropped. */
static inline void
stored_peer_set(struct stored_peer *s, const struct peer_record *p)
{
	size_t len = p->relays.len;

	if (len > sizeof s->relays)
		len = sizeof s->relays;
	memcpy(s->key, p->key, KEY_LEN);
	if (len > 0)
		memcpy(s->relays, p->relays.p, len);
	s->relays_len = (uint8_t)len;
}

/* Returns the record, which borrows from s. */
static inline struct peer_record
stored_peer_get(const struct stored_peer *s)
{
	return (struct peer_record){
	    .key = s->key, .relays = {s->relays, s->relays_len}};
}

#endif
