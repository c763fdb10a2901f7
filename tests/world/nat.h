/* SPDX-License-Identifier: ISC */
/*
 * nat.h - a NAT box or firewall, on the axes of RFC 4787.
 *
 * Translates an inner sender to an outer one and back, by its mapping and
 * filtering rules; both expire after its timeout. Queues nothing: net.h carries
 * the datagrams. A box can be behind another. Uses: net.
 */
#ifndef WORLD_NAT_H
#define WORLD_NAT_H

#include <stdbool.h>
#include <stdint.h>

#include "world/net.h"

/* What a mapping, or a permission to enter, depends on. */
enum nat_rule { NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS, NAT_ADDRESS_AND_PORT };

enum nat_ports { NAT_PRESERVING, NAT_SEQUENTIAL, NAT_RANDOM };

struct nat_config {
	enum nat_rule mapping, filtering;
	enum nat_ports ports;
	uint32_t timeout_s;   /* RFC 4787 REQ-5 asks for 120 or more */
	bool refresh_inbound; /* an incoming datagram keeps a mapping alive */
	bool hairpin;         /* two inner hosts reach each other outside */
	bool firewall;        /* filters only, translates nothing */
};

/* As home routers have; a flood of probes must not fill it in the tests. */
enum { NAT_MAPPINGS_MAX = 16384 };

struct nat_mapping {
	struct spot inner, outer;
	struct spot peer; /* zero in what the mapping rule leaves out */
	uint64_t used_us;
};

struct nat_permit {
	struct spot outer, peer; /* zero in what filtering leaves out */
	uint64_t used_us;
};

struct nat {
	struct endpoint ep; /* on the outer side */
	struct nat_config config;
	struct nat *outer; /* the box in front of it, or NULL */
	struct prng rand;
	uint16_t next_port;
	struct nat_mapping *mappings;
	struct nat_permit *permits;
	uint32_t mappings_len, permits_len;
	struct endpoint **inside; /* hosts and boxes behind it */
	uint32_t inside_len;
};

struct nat *nat_new(const struct nat_config *c, uint32_t ip, uint64_t seed);
void nat_free(struct nat *n);

/* Adds an endpoint behind the box, at the inner address ep->ip. */
void nat_add(struct nat *n, struct endpoint *ep);

/*
 * Returns the inner address of the next endpoint: of 192.168/16, or that of a
 * box which translates nothing.
 */
uint32_t nat_next_inside(const struct nat *n);

/* Returns the endpoint at the inner address, or NULL. */
struct endpoint *nat_inside(const struct nat *n, uint32_t ip);

/*
 * Translates a datagram that leaves: *from becomes the outer address. Returns
 * false if the box has no space for the mapping.
 */
bool nat_out(struct nat *n, uint64_t now_us, struct spot *from, struct spot to);

/*
 * Translates a datagram that arrives: *to becomes the inner address. Returns
 * false if the box filters it.
 */
bool nat_in(struct nat *n, uint64_t now_us, struct spot from, struct spot *to);

/*
 * Passes a datagram that arrived at an endpoint through the boxes there. *to
 * becomes the inner address. Returns the host behind them, or NULL.
 */
struct endpoint *nat_enter(
    struct endpoint *e, uint64_t now_us, struct spot from, struct spot *to);

/* Drops all mappings and permissions, as a restart does. */
void nat_flush(struct nat *n);

#endif
