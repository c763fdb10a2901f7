/* SPDX-License-Identifier: ISC */
/*
 * joining.h - joins the network through the bootstrap list, protocol 01 §13.
 *
 * Owns the entries, the addresses that their names resolved to, and the good
 * nodes of an earlier run. Ends in JOINING_DONE even if no node answered, so
 * that a node without a network is usable by itself.
 */
#ifndef DHT_JOINING_H
#define DHT_JOINING_H

#include "dht/local_node.h"

struct candidates;
struct maintenance;
struct promotion;
struct queries;

/*
 * RESOLVE --all names answered--> WALK --walk and NAT check ended--> CHECK
 *   CHECK --address, id or role changed, first time--> WALK
 *   CHECK --otherwise--> DONE
 * A walk without any reply returns once to RESOLVE, to resolve the names that
 * were skipped because their entry also gives an address.
 */
enum joining_state {
	JOINING_RESOLVE,
	JOINING_WALK,
	JOINING_CHECK,
	JOINING_DONE,
};

/* The single PING_NAT during the walk, protocol 01 §12.4. */
enum nat_check_state {
	NAT_CHECK_NONE, /* no node has answered yet */
	NAT_CHECK_PENDING,
	NAT_CHECK_OPEN,   /* a reply arrived on the server socket */
	NAT_CHECK_CLOSED, /* none did */
};

/* dht.c sets the first five members before joining_init(). */
struct joining {
	struct local_node *self;
	struct candidates *candidates;
	struct queries *queries;
	struct promotion *promotion;
	struct maintenance *maintenance;
	struct bootstrap_entry *entries;
	struct addr *addrs; /* of the entries; family none: not known */
	size_t len;
	struct addr *known; /* good nodes of an earlier run */
	size_t known_len;
	enum joining_state state;
	uint32_t resolving; /* names being resolved */
	uint8_t walks;      /* started so far */
	bool walking;
	bool all_names_tried;
	enum nat_check_state nat_check;
};

/* Copies the lists of *c. Returns 0 or ERR_MEMORY; joining_fini() must be
 * called either way. */
__attribute__((warn_unused_result)) int joining_init(
    struct joining *j, const struct dht_config *c);
void joining_fini(struct joining *j);
void joining_start(struct joining *j);

/* Writes up to max addresses of the list to out. Returns how many. */
size_t joining_addresses(const struct joining *j, struct addr *out, size_t max);

/* Resolves all names again, unless that is in progress. Called when the table
 * has become empty. */
void joining_resolve_again(struct joining *j);

/* Takes the result of a name lookup; a is NULL if it failed. */
void joining_resolved(struct joining *j, uint32_t ticket, const struct addr *a);

/* Handles the end of promotion_check(). changed: our address, id or role, or
 * whether we are firewalled, has changed. */
void joining_checked(struct joining *j, bool changed);

#endif
