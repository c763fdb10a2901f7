/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/err.h"

/* addr_equal() compares bytes and needs a struct without padding. */
_Static_assert(sizeof(struct addr) == 20, "struct addr has padding");

/* Packs the first `bytes` bytes of the address behind its family. */
static uint64_t
pack_bytes(const struct addr *a, unsigned bytes)
{
	uint64_t v = a->family;

	for (unsigned i = 0; i < 7; i++)
		v = v << 8 | (i < bytes ? a->ip[i] : 0);
	return v;
}

uint64_t
addr_host_key(const struct addr *a)
{
	if (a->family == ADDR_V4)
		return pack_bytes(a, 4);
	/* Eight bytes leave no space for the family; no unicast /64 starts with
	 * 4, so the number differs from those of IPv4. */
	return pack_bytes(a, 7) << 8 | a->ip[7];
}

uint64_t
addr_prefix_key(const struct addr *a)
{
	return pack_bytes(a, a->family == ADDR_V4 ? 3 : 7);
}

static enum addr_scope
classify_ipv4(const uint8_t *ip)
{
	if (ip[0] == 127)
		return ADDR_LOOPBACK;
	if (ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
	    (ip[0] == 192 && ip[1] == 168) ||
	    (ip[0] == 100 && (ip[1] & 0xc0) == 64)) /* RFC 6598 */
		return ADDR_PRIVATE;
	if (ip[0] == 169 && ip[1] == 254)
		return ADDR_LINK;
	if (ip[0] == 0 || ip[0] >= 224)
		return ADDR_UNUSABLE;
	return ADDR_PUBLIC;
}

static enum addr_scope
classify_ipv6(const uint8_t *ip)
{
	static const uint8_t zero[15];

	if (memcmp(ip, zero, 15) == 0)
		return ip[15] == 1 ? ADDR_LOOPBACK : ADDR_UNUSABLE;
	if (ip[0] == 0xff)
		return ADDR_UNUSABLE;
	if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80)
		return ADDR_LINK;
	if ((ip[0] & 0xfe) == 0xfc)
		return ADDR_PRIVATE;
	return ADDR_PUBLIC;
}

static uint32_t
read_ipv4(const uint8_t *ip)
{
	return (uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 |
	       (uint32_t)ip[2] << 8 | ip[3];
}

enum addr_scope
addr_scope(const struct addr *a)
{
	switch (a->family) {
	case ADDR_V4:
		return classify_ipv4(a->ip);
	case ADDR_V6:
		return classify_ipv6(a->ip);
	default:
		return ADDR_UNUSABLE;
	}
}

/* Returns true outside global unicast, for its reserved prefixes (RFC 6890,
 * RFC 9637) and for 6to4, which can embed any IPv4 address. */
static bool
is_reserved_ipv6(const uint8_t *ip)
{
	return (ip[0] & 0xe0) != 0x20 || (ip[0] == 0x20 && ip[1] == 0x02) ||
	       (ip[0] == 0x20 && ip[1] == 0x01 && ip[2] < 2) ||
	       (ip[0] == 0x20 && ip[1] == 0x01 && ip[2] == 0x0d &&
		   ip[3] == 0xb8) ||
	       (ip[0] == 0x3f && ip[1] == 0xff && ip[2] < 0x10);
}

bool
addr_reserved(const struct addr *a)
{
	/* RFC 6890 */
	static const struct {
		uint8_t ip[4], bits;
	} nets[] = {
	    {{192, 0, 0, 0}, 24},
	    {{192, 0, 2, 0}, 24},
	    {{198, 18, 0, 0}, 15},
	    {{198, 51, 100, 0}, 24},
	    {{203, 0, 113, 0}, 24},
	};

	if (addr_scope(a) == ADDR_UNUSABLE)
		return true;
	if (a->family == ADDR_V6)
		return is_reserved_ipv6(a->ip);
	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
		uint32_t differs = read_ipv4(a->ip) ^ read_ipv4(nets[i].ip);

		if (differs >> (32 - nets[i].bits) == 0)
			return true;
	}
	return false;
}

bool
addr_usable(const struct addr *a)
{
	return a->port != 0 && addr_scope(a) != ADDR_UNUSABLE;
}

/* Parses a decimal port from 1 to 65535. Returns 0 for anything else. */
static uint16_t
parse_port(const char *text)
{
	char *end;
	long port;

	if (*text < '0' || *text > '9')
		return 0;
	port = strtol(text, &end, 10);
	return *end == '\0' && port > 0 && port <= UINT16_MAX ? (uint16_t)port
							      : 0;
}

int
addr_parse(struct addr *a, const char *text, uint16_t default_port)
{
	struct addr out = {.port = default_port};
	char host[ADDR_TEXT_MAX];
	const char *port = NULL, *end;
	size_t len;

	if (*text == '[') {
		end = strchr(++text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return ERR_MALFORMED;
		port = end[1] == ':' ? end + 2 : NULL;
		out.family = ADDR_V6;
	} else {
		end = text + strcspn(text, ":");
		port = *end == ':' ? end + 1 : NULL;
		out.family = ADDR_V4;
	}
	len = (size_t)(end - text);
	if (len >= sizeof host)
		return ERR_MALFORMED;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(
		out.family == ADDR_V4 ? AF_INET : AF_INET6, host, out.ip) != 1)
		return ERR_MALFORMED;
	if (port != NULL && (out.port = parse_port(port)) == 0)
		return ERR_MALFORMED;
	*a = out;
	return 0;
}

const char *
addr_format_host(const struct addr *a, char *buf)
{
	if (a->family == ADDR_NONE ||
	    inet_ntop(a->family == ADDR_V4 ? AF_INET : AF_INET6, a->ip, buf,
		ADDR_TEXT_MAX) == NULL)
		memcpy(buf, "none", 5);
	return buf;
}

const char *
addr_format(const struct addr *a, char *buf)
{
	char host[ADDR_TEXT_MAX];

	addr_format_host(a, host);
	snprintf(buf, ADDR_TEXT_MAX, a->family == ADDR_V6 ? "[%s]:%u" : "%s:%u",
	    host, a->port);
	return buf;
}

bool
addr_in_prefix(const struct addr *a, const struct addr *b, uint8_t len)
{
	size_t octets = len / 8;
	uint8_t rest = (uint8_t)(0xff00 >> len % 8);

	if (a->family != b->family || octets > sizeof a->ip ||
	    memcmp(a->ip, b->ip, octets) != 0)
		return false;
	return rest == 0 || ((a->ip[octets] ^ b->ip[octets]) & rest) == 0;
}
