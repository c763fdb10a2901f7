/* SPDX-License-Identifier: ISC */
/*
 * party.h - a host that has UDX streams and runs no node.
 *
 * It provides one struct udx with a few sockets on the simulated network,
 * virtual time and seeded random numbers. A talk is a stream between two
 * parties. Each writes a pattern that depends on the talk and the position, and
 * the reader compares every byte. Uses: udx, sim, net, nat, core_host.
 */
#ifndef SIM_PARTY_H
#define SIM_PARTY_H

#include "sim/actor.h"
#include "world/nat.h"
#include "udx/udx.h"
#include "world/core_host.h"

enum { PARTY_SOCKS = 2, PARTY_PORT = 5000 }; /* and the ones after it */

struct party;

/* One end of a talk. Scenarios may change the first members. */
struct talk {
	uint64_t to_write; /* bytes; then it ends its side */
	uint32_t chunk;    /* the largest write; 0: as much as fits */
	bool deaf;         /* never reads */
	bool open_ended;   /* does not end its side */

	struct party *party;
	struct talk *other;     /* the other end, for what it was to write */
	struct udx_stream *udx; /* NULL: over */
	uint64_t pattern;
	uint64_t written, read;
	bool ended, complete; /* our side; all that the other wrote was read */
	bool closed;
	int err; /* once closed */
	uint64_t closed_us, resent, lost, packets;
	struct udx_path left; /* to follow the peer, and when */
	uint64_t left_us;
	struct talk *next;
};

struct party {
	struct core_host host; /* for udx */
	struct sim *sim;
	struct actor *actor;
	struct nat *box;
	struct udx *udx;
	struct talk *talks;
	bool asleep;
	bool follows; /* migrates when the peer sends from another address */
	uint64_t wake_us, slept_us, asleep_since_us;
};

/*
 * Creates a party at an address of its own, or behind a box. The simulation
 * frees it, but party_end() must be called.
 */
struct party *party_new(struct sim *s, struct nat *box);
void party_end(struct party *p);

/* Returns the address of a socket; not for a party behind a box. */
struct spot party_spot(const struct party *p, int sock);

/* Stops all activity until party_wake(). */
void party_sleep(struct party *p);
void party_wake(struct party *p);

/* Changes the public address. The streams continue from there. */
void party_move(struct party *p);

/* Reads, writes and runs udx. Called after every change to a talk. */
void party_settle(struct party *p);

/* ---- talks ---- */

/*
 * Creates a talk between two parties, each of which writes so many bytes. The
 * second learns the address of the first, which may be behind a box, from its
 * first packet. Returns the first's end.
 */
struct talk *talk_new(struct party *first, struct party *second,
    uint64_t first_writes, uint64_t second_writes);

/* Destroys this end. */
void talk_destroy(struct talk *t);

/* Migrates this end to another socket of its own and of its peer. */
int talk_change_path(struct talk *t, int sock, int peer_sock);

/*
 * Returns whether both ends are closed, and whether they agree: both have read
 * everything, or both have failed.
 */
bool talk_is_over(const struct talk *t);
bool talk_agrees(const struct talk *t);

#endif
