/* SPDX-License-Identifier: ISC */
/*
 * joining.h - joins the network through the bootstrap list, protocol 01 §13.
 *
 * Owns the entries, the addresses that their names resolved to, what was last
 * found out about each of them, and the good nodes of an earlier run. A node
 * has joined once another one has answered its walk, or if no other node is
 * configured; until then health.c lets it try again and again.
 */
#ifndef DHT_JOINING_H
#define DHT_JOINING_H

#include "dht/local_node.h"

struct candidates;
struct health;
struct maintenance;
struct promotion;
struct queries;

/*
 * RESOLVE --all names answered, or 2 s passed--> WALK
 *   WALK --walk and NAT check ended--> CHECK
 *   WALK --no reply, first time--> RESOLVE, to resolve the names that were
 *       skipped because their entry also gives an address
 *   WALK --no reply, later--> WAIT --some node answers--> WALK
 *   CHECK --address, id or role changed, first time--> WALK
 *   CHECK --otherwise--> DONE
 */
enum joining_state {
	JOINING_RESOLVE,
	JOINING_WALK,
	JOINING_WAIT,
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

/* An entry of the bootstrap list, and what was last found out about it. */
struct joining_entry {
	struct bootstrap_entry config;
	struct addr addr; /* family none: not known */
	uint8_t result;   /* enum dht_entry_result */
	bool resolving;
	uint64_t asked_us;  /* when the name lookup in progress began */
	uint64_t result_us; /* time of the result */
};

/* dht.c sets the first six members before joining_init(). */
struct joining {
	struct local_node *self;
	struct candidates *candidates;
	struct queries *queries;
	struct promotion *promotion;
	struct maintenance *maintenance;
	struct health *health;
	struct joining_entry *entries;
	size_t len;
	struct addr *known; /* good nodes of an earlier run */
	size_t known_len;
	enum joining_state state;
	uint8_t walks; /* since the last one without a reply */
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

/* Implements dht_entry(). */
bool joining_entry(const struct joining *j, size_t i, struct dht_entry *out);

/* Returns true if the list names no node but this one. */
bool joining_is_alone(const struct joining *j);

/* Returns one of the nodes of an earlier run, for any i, or NULL. */
const struct addr *joining_known_node(const struct joining *j, uint32_t i);

/* Resolves all names again. Called when the table has become empty. */
void joining_resolve_again(struct joining *j);

/* Does the same while no node answers; starts the walk if it waits for names.
 */
void joining_retry(struct joining *j);

/* Walks again if the last walk had no reply, or waits for names. */
void joining_again(struct joining *j);

/* Takes the result of a name lookup; a is NULL if it failed. */
void joining_resolved(struct joining *j, uint32_t ticket, const struct addr *a);

/* Record that the node at this address has answered, or has not. */
void joining_node_answered(struct joining *j, const struct addr *a);
void joining_node_silent(struct joining *j, const struct addr *a);

/* Records that no node has answered a poll. */
void joining_unanswered(struct joining *j);

/* Handles the end of promotion_check(). changed: our address, id or role, or
 * whether we are firewalled, has changed. */
void joining_checked(struct joining *j, bool changed);

#endif
