/* SPDX-License-Identifier: ISC */
/*
 * peer_rig.h - a node that dials, among scripted nodes and a scripted server.
 *
 * The node is complete; the script answers everything that it sends after some
 * milliseconds. Scripted nodes have a record of the server or not, or send
 * forged answers. The server answers handshakes with the payload that the test
 * sets, and has a stream that is reachable at the addresses that the test sets.
 * Handshake, UDX and secret stream are the production code, which golden
 * vectors test.
 */
#ifndef TEST_PEER_RIG_H
#define TEST_PEER_RIG_H

#include "crypto/noise.h"
#include "world/core_host.h"
#include "node/node_conn.h"
#include "node/node_struct.h"
#include "signal/payload.h"
#include "stream/secret.h"

enum rig_node_kind {
	RIG_IGNORANT, /* has no record of the key; answers with closer nodes */
	RIG_KNOWS,    /* forwards the handshake, and returns the answer */
	RIG_STALE,    /* has a record of a server that is gone: never answers */
	RIG_DEAD,     /* answers nothing at all */
	RIG_LIAR,     /* answers at once with a forged Noise message */
	RIG_WRONG_MODE,
	RIG_NO_NOISE,
	RIG_ELSEWHERE, /* the right answer, from another port */
};

enum { RIG_NODES_MAX = 40, RIG_ALIVE_MAX = 4 };

struct rig_node {
	enum rig_node_kind kind;
	struct addr addr;
	unsigned handshakes, finds; /* requests received */
};

struct rig_server {
	struct key_pair keys;
	struct payload payload; /* of its answer; udx_id is filled in */
	struct addr seen;       /* the address that nodes report */
	bool answers_itself;    /* nodes' answers have no address */
	/* The addresses of its stream: packets to others are lost. */
	struct addr alive[RIG_ALIVE_MAX];
	unsigned alive_len;
	bool keeps;       /* keeps forgotten connections open */
	bool comes_first; /* its stream sends before its answer */

	struct core_host host;
	struct udx *udx;
	struct udx_stream *stream;
	struct secret *secret, *kept;
	struct addr
	    at; /* of alive[]: by which the client came; none: not yet */
	uint8_t message1[NOISE_MESSAGE_MAX], message2[NOISE_MESSAGE_MAX];
	size_t message1_len, message2_len;
	unsigned messages;  /* handshakes, copies too */
	unsigned sessions;  /* different ones: must stay 1 for a connection */
	size_t server_seen; /* of the datagrams it sent */
	struct payload client; /* the payload of the client */
};

struct rig_flight {
	uint64_t due_us;
	uint32_t late_ms;     /* on top of the usual delay */
	struct addr from, to; /* to the node's address, or the server's */
	bool to_server;
	int sock;
	size_t len;
	uint8_t buf[DGRAM_MAX];
};

struct peer_rig {
	struct sim_world world;
	struct node *node;
	struct key_pair identity;
	struct addr public;  /* host of the node as others see it */
	struct addr public6; /* the same of IPv6, once it has one */
	struct rig_node nodes[RIG_NODES_MAX];
	unsigned nodes_len;
	struct rig_server server;
	size_t seen; /* of the datagrams sent */
	struct rig_flight *flights;
	size_t flights_len;

	/* Events of connections. */
	unsigned opened, closed, ready;
	int err;
	uint32_t last; /* the connection of the latest event */
};

void peer_rig_init(struct peer_rig *r);
void peer_rig_fini(struct peer_rig *r);

/* Adds a node to the routing table of the node under test. */
struct rig_node *peer_rig_node(struct peer_rig *r, enum rig_node_kind kind);

/* Adds the server itself as the only node that answers requests. */
struct rig_node *peer_rig_server_node(struct peer_rig *r);

/* Dials the server's key. */
uint32_t peer_rig_connect(struct peer_rig *r);

/* Makes the server forget the connection, so that another can be dialed. */
void peer_rig_next_session(struct peer_rig *r);

/* Advances the time until a connection opens or closes, or by ms. Returns the
 * milliseconds that have passed. */
uint64_t peer_rig_until_settled(struct peer_rig *r, uint64_t ms);
void peer_rig_run_ms(struct peer_rig *r, uint64_t ms);

#endif
