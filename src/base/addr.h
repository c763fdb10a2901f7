/* SPDX-License-Identifier: ISC */
/*
 * addr.h - transport addresses, IPv4 and IPv6.
 *
 * A plain value without padding: two addresses are equal if their bytes are,
 * so it may be hashed and compared whole. Knows no socket and resolves no
 * name. Uses: base.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	ADDR_NONE = 0,
	ADDR_V4 = 4,
	ADDR_V6 = 6,
	ADDR_WIRE4_LEN = 6,  /* protocol 01 §2, ipv4 */
	ADDR_WIRE6_LEN = 18, /* protocol 03 §5 */
	ADDR_TEXT_MAX = 56,  /* "[v6]:65535" and NUL */
};

struct addr {
	uint8_t ip[16]; /* network order; IPv4 in the first four, rest zero */
	uint16_t port;  /* host order */
	uint16_t family;
};

/* How an address may be used, RFC 6890 and friends. */
enum addr_scope {
	ADDR_PUBLIC,
	ADDR_PRIVATE, /* RFC 1918, carrier NAT, unique local */
	ADDR_LINK,
	ADDR_LOOPBACK,
	ADDR_UNUSABLE, /* unspecified, multicast, broadcast, reserved */
};

static inline struct addr
addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
	return (struct addr){
	    .ip = {a, b, c, d}, .port = port, .family = ADDR_V4};
}

static inline bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static inline bool
addr_same_host(const struct addr *a, const struct addr *b)
{
	return a->family == b->family &&
	       memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* Returns true if the first len bits of both addresses are equal. */
bool addr_in_prefix(const struct addr *a, const struct addr *b, uint8_t len);

/* Returns true if both are in one /24 (IPv4) or /56 (IPv6). */
static inline bool
addr_same_prefix(const struct addr *a, const struct addr *b)
{
	return a->family == b->family &&
	       memcmp(a->ip, b->ip, a->family == ADDR_V4 ? 3 : 7) == 0;
}

/*
 * Return a number for the host, and for its /24 (IPv4) or /56 (IPv6). An IPv6
 * host is counted as its /64, which is what one customer holds.
 */
uint64_t addr_host_key(const struct addr *a);
uint64_t addr_prefix_key(const struct addr *a);

/* Classifies the address; the port is ignored. */
enum addr_scope addr_scope(const struct addr *a);

/*
 * Returns true for an address that cannot be dialed: unusable, or reserved for
 * protocols, documentation or benchmarks. Used to filter the addresses that
 * peers exchange; our own decisions use the scope, since test labs use such
 * networks.
 */
bool addr_reserved(const struct addr *a);

/* Returns true for an address to which a peer may direct our dials: public and
 * not reserved. */
static inline bool
addr_global(const struct addr *a)
{
	return addr_scope(a) == ADDR_PUBLIC && !addr_reserved(a);
}

/* Returns true unless the address is unusable or its port is 0. */
bool addr_usable(const struct addr *a);

/*
 * Parses "192.0.2.1:49737", "[2001:db8::1]:49737" or a bare host with
 * default_port, but no names. Returns 0 or ERR_MALFORMED; *a is set on success.
 */
int addr_parse(struct addr *a, const char *text, uint16_t default_port)
    __attribute__((warn_unused_result));

/* Writes the text form into buf (ADDR_TEXT_MAX bytes) and returns buf. */
const char *addr_format(const struct addr *a, char *buf);

/* Writes the text form without the port. */
const char *addr_format_host(const struct addr *a, char *buf);

#endif
