/* SPDX-License-Identifier: ISC */
/*
 * punch_lab.h - two sides of a hole punch behind NATs, and a public network.
 *
 * Everything runs in one virtual time. Public hosts forward messages and report
 * addresses; each side has a DHT, a router and a struct punch, behind a NAT of
 * the simulator. The lab performs the handshake itself: each side pings the
 * relay from its puncher's socket and receives the address that the relay saw.
 * A candidate is tried as a stream would do it: with a packet from its socket,
 * to which the server replies.
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
	struct relay_net n; /* DHT, records and router, in a fake world */
	struct punch *punch;
	struct puncher *puncher;
	struct nat *nat;      /* NULL: public */
	uint32_t ip;          /* inner */
	size_t taken;         /* entries of fw.sent processed */
	struct addr seen;     /* the puncher's address as the relay sees it */
	struct addr dht_seen; /* and that of its DHT socket */
	struct punch_event events[LAB_EVENTS_MAX];
	unsigned events_len;
	int failed; /* err of PUNCH_FAILED, or 0 */
	unsigned failures;
	bool deaf; /* receives no datagrams */
};

/* A datagram that a side has sent. */
struct lab_sent {
	uint64_t at_us;
	bool client; /* sent by the client */
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
	bool no_relay;        /* messages come through a foreign relay */
	/* Returns whether to drop the datagram, or NULL. */
	bool (*lose)(const struct lab *l, const struct lab_sent *s);
	bool proved; /* a packet of the client was replied to by the server */
	uint64_t proved_us;
	int server_sock; /* that received the packet */
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

/* Creates both punchers; the relay sees their addresses. */
void lab_handshake(struct lab *l);

/* Starts both sides. native: each takes the other for a native node. */
void lab_begin(struct lab *l, bool native);

/* Returns what lab_begin() passes to each side. */
struct punch_peer lab_peer_of_server(const struct lab *l, bool native);
struct punch_peer lab_peer_of_client(const struct lab *l, bool native);

/* Performs the handshake and starts, until a path is proved, the attempt has
 * failed, or `ms` have passed. Returns whether a path is proved. */
bool lab_punch(struct lab *l, bool native, uint64_t ms);

/* Returns the address of a public host. */
struct addr lab_relay(unsigned i);

/* Counts the probes that a side has sent, with or without a low TTL. */
unsigned lab_probes(const struct lab *l, bool client, bool low);

/* Delivers a forged datagram to a socket of a side, behind its NAT. */
int lab_inject(struct lab *l, struct lab_host *h, int sock,
    const struct addr *from, const void *buf, size_t len);

#endif
