/* SPDX-License-Identifier: ISC */
/*
 * punch_lab.h - two sides of a hole punch behind NATs, and a public network.
 *
 * Everything runs in one virtual time. Public hosts forward messages and report
 * addresses; each side has a DHT, a router and a struct punch, behind a NAT of
 * tests/world. The lab performs the handshake itself: each side pings the
 * relay from its puncher's socket and receives the address that the relay saw.
 * A candidate is tried as a stream would do it: with a packet from its socket,
 * to which the server replies.
 */
#ifndef TEST_PUNCH_LAB_H
#define TEST_PUNCH_LAB_H

#include "punch/punch_context.h"
#include "relay_net.h"
#include "t.h"

enum {
	LAB_RELAYS = 12, /* public hosts; the first three are the server's */
	LAB_EVENTS_MAX = 4096,
	LAB_SENT_MAX = 32768,
};

struct punch_lab;

struct punch_host {
	struct relay_net n; /* DHT, records and router */
	struct punch *punch;
	struct puncher *puncher;
	struct addr seen;     /* the puncher's address as the relay sees it */
	struct addr dht_seen; /* and that of its DHT socket */
	struct punch_event events[LAB_EVENTS_MAX];
	unsigned events_len;
	int failed; /* err of PUNCH_FAILED, or 0 */
	unsigned failures;
};

/* A datagram that a side has sent. */
struct punch_sent {
	uint64_t at_us;
	bool client; /* sent by the client */
	struct dgram_meta meta;
	uint32_t len;
	struct addr from; /* outer */
};

struct punch_lab {
	struct lan lan; /* net.faults may be changed */
	struct punch_host relays[LAB_RELAYS], client, server;
	struct punch_sent *sent;
	size_t sent_len;
	uint8_t secret[PUNCH_KEY_LEN];
	struct key_pair keys; /* of the server */
	bool no_relay;        /* messages come through a foreign relay */
	/* Returns whether to drop the datagram, or NULL. */
	bool (*lose)(const struct punch_lab *l, const struct punch_sent *s,
	    const uint8_t *buf);
	bool proved; /* the server has replied to a packet of the client */
	uint64_t proved_us;
	int server_sock; /* that received the packet */
	struct addr proved_at;
};

struct punch_box {
	enum nat_rule mapping, filtering;
	enum nat_ports ports;
};

/* Initialises the lab; NULL: no NAT. */
void punch_lab_init(struct punch_lab *l, const struct punch_box *client,
    const struct punch_box *server, uint64_t seed);
void punch_lab_fini(struct punch_lab *l);

void punch_lab_run_ms(struct punch_lab *l, uint64_t ms);

/* Creates both punchers; the relay sees their addresses. */
void punch_lab_handshake(struct punch_lab *l);

/* Starts both sides. native: each treats the other as a native node. */
void punch_lab_begin(struct punch_lab *l, bool native);

/* Returns what punch_lab_begin() passes to each side. */
struct punch_peer punch_lab_peer_of_server(
    const struct punch_lab *l, bool native);
struct punch_peer punch_lab_peer_of_client(
    const struct punch_lab *l, bool native);

/* Performs the handshake and starts, until a path is proved, the attempt has
 * failed, or `ms` have passed. Returns whether a path is proved. */
bool punch_lab_try(struct punch_lab *l, bool native, uint64_t ms);

/* Returns the address of a public host. */
struct addr punch_lab_relay(unsigned i);

/* Counts the probes that a side has sent, with or without a low TTL. */
unsigned punch_lab_probes(const struct punch_lab *l, bool client, bool low);

/* Delivers a forged datagram to a socket of a side, behind its NAT. */
int punch_lab_inject(struct punch_lab *l, struct punch_host *h, int sock,
    const struct addr *from, const void *buf, size_t len);

#endif
