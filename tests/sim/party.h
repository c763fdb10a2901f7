/* SPDX-License-Identifier: ISC */
/*
 * party.h - a machine that holds streams and runs no node, and the talks it
 * has with others.
 *
 * It is the world of one struct udx: a few sockets on the simulated network,
 * virtual time, seeded randomness. A talk is a stream with an end at each of
 * two parties; what either writes is a pattern of the talk and the position,
 * and what is read is held against it byte by byte. Uses: udx, sim, net, nat.
 */
#ifndef SIM_PARTY_H
#define SIM_PARTY_H

#include "sim/actor.h"
#include "world/nat.h"
#include "udx/udx.h"
#include "world/core_host.h"

enum { PARTY_SOCKS = 2, PARTY_PORT = 5000 }; /* and the ones after it */

struct party;

/* One end of a talk. What a scenario may change stands first. */
struct talk {
	uint64_t to_write; /* bytes; then it ends its side */
	uint32_t chunk;    /* the largest write; 0: what there is room for */
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
	bool follows; /* goes with a peer that comes from elsewhere */
	uint64_t wake_us, slept_us, asleep_since_us;
};

/* A machine at an address of its own, or behind a box; never freed before the
 * simulation, but party_end() must be called. */
struct party *party_new(struct sim *s, struct nat *box);
void party_end(struct party *p);

/* Where others reach a socket of it; not for one behind a box. */
struct spot party_spot(const struct party *p, int sock);

/* Nothing is heard and nothing happens until it wakes. */
void party_sleep(struct party *p);
void party_wake(struct party *p);

/* To another public address. Its streams go on from there. */
void party_move(struct party *p);

/* Reads, writes and lets udx act; after anything was done to a talk. */
void party_settle(struct party *p);

/* ---- talks ---- */

/*
 * A talk between two parties, each to write so much; first is from whom the
 * other hears first and learns the address: that one may stand behind a box.
 * Returns first's end.
 */
struct talk *talk_new(struct party *first, struct party *second,
    uint64_t first_writes, uint64_t second_writes);

/* Destroys this end. */
void talk_destroy(struct talk *t);

/* This end goes on through another socket of its own and of its peer. */
int talk_change_path(struct talk *t, int sock, int peer_sock);

/* Both ends are over, and in the same way: all is read, or both have failed. */
bool talk_is_over(const struct talk *t);
bool talk_agrees(const struct talk *t);

#endif
