/* SPDX-License-Identifier: ISC */
/*
 * actor.h - whoever speaks the protocol without running a node: attackers,
 * victims, scripted peers.
 *
 * Has one address or many and all their ports, may claim any source, and gets
 * what is sent to its addresses. Uses: net, dht (codec), sim.
 */
#ifndef SIM_ACTOR_H
#define SIM_ACTOR_H

#include "dht/rpc.h"
#include "world/nat.h"
#include "world/net.h"
#include "world/prng.h"

struct sim;
struct actor;

typedef void actor_receive(struct actor *a, struct spot from, struct spot to,
    const uint8_t *buf, size_t len);

struct actor {
	struct endpoint ep;
	struct sim *sim;
	struct prng rand;
	actor_receive *receive; /* NULL: swallows all */
	void *state;            /* freed with the actor if not NULL */
	uint64_t got_bytes;
};

/*
 * At `count` addresses from `ip` on. state_size bytes of zeroed state.
 */
struct actor *actor_new(struct sim *s, uint32_t ip, uint32_t count,
    actor_receive *receive, size_t state_size);

/* At one address behind a box, or (NULL) at a public one like a host's. */
struct actor *actor_behind(
    struct sim *s, struct nat *box, actor_receive *receive, size_t state_size);
void actor_free(struct actor *a);

/* A datagram to one of its addresses, `to` as its own network has it. */
void actor_take(struct actor *a, const struct net_packet *p, struct spot to);

/* From any spot, its own or not. */
void actor_send(struct actor *a, struct spot from, struct spot to,
    const void *buf, size_t len);

/* The id of a node at the spot. */
void spot_id(uint8_t id[ID_LEN], struct spot at);

/*
 * Encodes and sends m. With an id if `id` says so; m->to and m->id are filled
 * in. A reply from one of its own addresses counts as an answer.
 */
void actor_request(struct actor *a, struct spot from, struct spot to, bool id,
    struct rpc_request *m);
void actor_reply(struct actor *a, struct spot from, struct spot to, bool id,
    struct rpc_reply *m);

#endif
