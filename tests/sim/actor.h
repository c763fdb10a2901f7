/* SPDX-License-Identifier: ISC */
/*
 * actor.h - a host that speaks the protocol without running a node: attackers,
 * victims, scripted peers.
 *
 * An actor has one address or many, with all their ports. It may send from any
 * source address and receives what is sent to its own. Uses: net, dht (codec),
 * sim.
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
	actor_receive *receive; /* NULL: ignores all datagrams */
	void *state;            /* freed with the actor if not NULL */
	uint64_t got_bytes;
};

/*
 * Creates an actor at `count` addresses from `ip` on. Allocates state_size
 * bytes of zeroed state.
 */
struct actor *actor_new(struct sim *s, uint32_t ip, uint32_t count,
    actor_receive *receive, size_t state_size);

/* Creates one at an address behind a box, or (NULL) at a public address. */
struct actor *actor_behind(
    struct sim *s, struct nat *box, actor_receive *receive, size_t state_size);
void actor_free(struct actor *a);

/* Delivers a datagram; `to` is the address behind the box. */
void actor_take(struct actor *a, const struct net_packet *p, struct spot to);

/* Sends from any address, its own or not. */
void actor_send(struct actor *a, struct spot from, struct spot to,
    const void *buf, size_t len);

/* Computes the id of a node at the spot. */
void spot_id(uint8_t id[ID_LEN], struct spot at);

/*
 * Encodes and sends m, with an id if `id` is set; sets m->to and m->id. A reply
 * from an address of its own counts as an answer.
 */
void actor_request(struct actor *a, struct spot from, struct spot to, bool id,
    struct rpc_request *m);
void actor_reply(struct actor *a, struct spot from, struct spot to, bool id,
    struct rpc_reply *m);

#endif
