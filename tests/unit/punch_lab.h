/* SPDX-License-Identifier: ISC */
/*
 * punch_lab.h - two sides of a hole punch behind NATs, and a public network.
 *
 * All in one virtual time. Public hosts forward and tell samples; the sides
 * have a dht, a router and a struct punch each, behind a box of the
 * simulator's kind. What the handshake does is played by hand: each side pings
 * the relay from its puncher's socket, as the handshake would, and is told
 * what the relay saw. A candidate is tried as a stream would: with a packet
 * from its socket, which the server answers.
 */
#ifndef TEST_PUNCH_LAB_H
#define TEST_PUNCH_LAB_H

#include "punch/punch_context.h"
#include "relay_net.h"
#include "sim/nat.h"
#include "t.h"

enum {
	LAB_RELAYS = 12, /* public hosts; the first three are the server's */
	LAB_EVENTS_MAX = 4096,
	LAB_SENT_MAX = 32768,
};

struct lab;

struct lab_host {
	struct lab *lab;
	struct relay_net n; /* dht, records and router, in a fake world */
	struct punch *punch;
	struct puncher *puncher;
	struct nat *nat;      /* NULL: public */
	uint32_t ip;          /* inner */
	size_t taken;         /* of fw.sent */
	struct addr seen;     /* as the relay saw its puncher */
	struct addr dht_seen; /* and its own requests */
	struct punch_event events[LAB_EVENTS_MAX];
	unsigned events_len;
	int failed; /* err of PUNCH_FAILED, or 0 */
	unsigned failures;
	bool deaf; /* nothing reaches it */
};

/* Every datagram that left a side. */
struct lab_sent {
	uint64_t at_us;
	bool client; /* who sent it */
	struct dgram_meta meta;
	uint32_t len;
	struct addr from; /* outer */
};

struct lab_flight {
	struct lab_flight *next;
	uint64_t due_us;
	struct addr from, to;
	size_t len;
	uint8_t buf[];
};

struct lab {
	struct lab_host relays[LAB_RELAYS], client, server;
	struct lab_flight *flights; /* in order of arrival */
	uint64_t now_us;
	uint32_t delay_us, loss; /* of 1000 */
	struct t_random dice;
	struct lab_sent *sent;
	size_t sent_len;
	uint8_t secret[PUNCH_KEY_LEN];
	struct key_pair keys; /* of the server */
	bool no_relay;        /* messages do not come through one of its own */
	/* Drops the datagram if it says so; for tests that lose one. */
	bool (*lose)(const struct lab *l, const struct lab_sent *s);
	bool proved; /* a packet of the client came back from the server */
	uint64_t proved_us;
	int server_sock; /* that the packet came in on */
	struct addr proved_at;
};

struct lab_box {
	enum nat_rule mapping, filtering;
	enum nat_ports ports;
};

/* NULL: no NAT. */
void lab_init(struct lab *l, const struct lab_box *client,
    const struct lab_box *server, uint64_t seed);
void lab_fini(struct lab *l);

void lab_run_ms(struct lab *l, uint64_t ms);

/* Makes both punchers, and lets the relay see them. */
void lab_handshake(struct lab *l);

/* Both sides begin. native: of the same project, as far as they know. */
void lab_begin(struct lab *l, bool native);

/* What lab_begin() tells each side. */
struct punch_peer lab_peer_of_server(const struct lab *l, bool native);
struct punch_peer lab_peer_of_client(const struct lab *l, bool native);

/* Handshake, begin, and up to `ms` until a path is proved or it failed. */
bool lab_punch(struct lab *l, bool native, uint64_t ms);

/* The address of a public host. */
struct addr lab_relay(unsigned i);

/* How many datagrams of one byte left this side, low: of low TTL. */
unsigned lab_probes(const struct lab *l, bool client, bool low);

/* A datagram out of nowhere, to the side's socket behind its box. */
int lab_inject(struct lab *l, struct lab_host *h, int sock,
    const struct addr *from, const void *buf, size_t len);

#endif
