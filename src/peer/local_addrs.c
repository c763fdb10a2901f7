/* SPDX-License-Identifier: ISC */
#include "peer/local_addrs.h"

enum { PREFIX_DEFAULT = 24, PREFIX_MAX = 32, PREFIX6_DEFAULT = 64 };

static bool
is_reachable(const struct addr *a)
{
	enum addr_scope scope = addr_scope(a);

	/* Private IPv6 addresses are of no use to a peer on another link. */
	return scope == ADDR_PUBLIC ||
	       (a->family == ADDR_V4 && scope == ADDR_PRIVATE);
}

void
local_addrs_set(struct local_addrs *l, const struct addr *a,
    const uint8_t *prefix_len, size_t len)
{
	*l = (struct local_addrs){.v4_len = 0};
	for (size_t i = 0; i < len; i++) {
		struct addr host = a[i];

		host.port = 0;
		if (!is_reachable(&host))
			continue;
		if (host.family == ADDR_V4 && l->v4_len < LOCAL_ADDRS_MAX) {
			l->prefix_len[l->v4_len] =
			    prefix_len != NULL ? prefix_len[i] : PREFIX_DEFAULT;
			l->v4[l->v4_len++] = host;
		} else if (host.family == ADDR_V6 &&
			   l->v6_len < LOCAL_ADDRS_MAX) {
			l->prefix_len6[l->v6_len] = prefix_len != NULL
							? prefix_len[i]
							: PREFIX6_DEFAULT;
			l->v6[l->v6_len++] = host;
		}
	}
}

bool
local_addrs_has(const struct local_addrs *l, const struct addr *host)
{
	for (uint8_t i = 0; i < l->v4_len; i++)
		if (addr_same_host(&l->v4[i], host))
			return true;
	for (uint8_t i = 0; i < l->v6_len; i++)
		if (addr_same_host(&l->v6[i], host))
			return true;
	return false;
}

static void
add_addr4(struct payload *out, const struct addr *host, uint16_t port)
{
	struct addr a = *host;

	a.port = port;
	for (uint8_t i = 0; i < out->addrs4_len; i++)
		if (addr_equal(&out->addrs4[i], &a))
			return;
	if (out->addrs4_len < PAYLOAD_ADDRS_MAX)
		out->addrs4[out->addrs4_len++] = a;
}

void
local_addrs_describe(
    const struct local_addrs *l, const struct dht *d, struct payload *out)
{
	const struct addr *open = dht_open_address(d);
	struct addr loopback = addr_v4(127, 0, 0, 1, 0);
	struct addr bound = *dht_server_address(d);

	out->firewall = open != NULL ? FIREWALL_OPEN : FIREWALL_UNKNOWN;
	out->addrs4_len = 0;
	if (open != NULL)
		add_addr4(out, open, open->port);
	/* If the socket is bound to one address, no other one works. */
	if (addr_scope(&bound) != ADDR_UNUSABLE)
		add_addr4(out, &bound, bound.port);
	else
		for (uint8_t i = 0; i < l->v4_len; i++)
			add_addr4(out, &l->v4[i], bound.port);
	if (out->addrs4_len == 0)
		add_addr4(out, &loopback, bound.port);
	out->flags |= PAYLOAD_ADDRS4;
}

void
local_addrs_describe6(
    const struct local_addrs *l, uint16_t port, struct payload *out)
{
	out->addrs6_len = 0;
	for (uint8_t i = 0;
	     i < l->v6_len && out->addrs6_len < LOCAL_ADDRS_SENT6; i++) {
		struct addr a = l->v6[i];

		a.port = port;
		if (addr_global(&a))
			out->addrs6[out->addrs6_len++] = a;
	}
	if (out->addrs6_len > 0)
		out->flags |= PAYLOAD_ADDRS6;
}

/* Returns how many leading octets the address shares with any of ours. */
static unsigned
common_octets(const struct payload *ours, const struct addr *a)
{
	unsigned best = 0;

	for (uint8_t i = 0; i < ours->addrs4_len; i++) {
		unsigned n = 0;

		while (n < 4 && ours->addrs4[i].ip[n] == a->ip[n])
			n++;
		best = n > best ? n : best;
	}
	return best;
}

static bool
is_neighbour(const struct addr *a, unsigned common)
{
	enum addr_scope scope = addr_scope(a);

	/* Loopback works if it is our only address, too. */
	return a->port != 0 && (scope == ADDR_PRIVATE || scope == ADDR_LINK ||
				   (scope == ADDR_LOOPBACK && common > 0));
}

size_t
local_addrs_neighbours(const struct local_addrs *l, const struct dht *d,
    const struct payload *theirs, struct addr *out, size_t max)
{
	/* An address equal to one of ours is that of a bridge which both
	 * machines have, unless both nodes run on one machine; then all are. */
	static const uint8_t preference[] = {3, 2, 1, 4, 0};
	struct payload ours = {0};
	size_t n = 0;

	local_addrs_describe(l, d, &ours);
	for (size_t k = 0; k < sizeof preference / sizeof *preference; k++)
		for (uint8_t i = 0; i < theirs->addrs4_len && n < max; i++) {
			const struct addr *a = &theirs->addrs4[i];
			unsigned common = common_octets(&ours, a);

			if (common == preference[k] && is_neighbour(a, common))
				out[n++] = *a;
		}
	return n;
}

/* Returns true for the network and the broadcast address of a prefix. */
static bool
is_network_or_broadcast(const struct addr *a, uint8_t prefix_len)
{
	uint32_t ip = (uint32_t)a->ip[0] << 24 | (uint32_t)a->ip[1] << 16 |
		      (uint32_t)a->ip[2] << 8 | a->ip[3];
	uint32_t host;

	if (prefix_len >= PREFIX_MAX - 1)
		return false;
	host = UINT32_MAX >> prefix_len;
	return (ip & host) == 0 || (ip & host) == host;
}

/* Returns true for a private address inside the prefix of one of our interfaces
 * that no interface of ours has. */
static bool
is_on_link(const struct local_addrs *l, const struct addr *a)
{
	bool found = false;

	if (addr_scope(a) != ADDR_PRIVATE || a->family != ADDR_V4 ||
	    a->port == 0)
		return false;
	for (uint8_t i = 0; i < l->v4_len; i++) {
		if (addr_same_host(&l->v4[i], a))
			return false;
		found |= addr_in_prefix(&l->v4[i], a, l->prefix_len[i]) &&
			 !is_network_or_broadcast(a, l->prefix_len[i]);
	}
	return found;
}

size_t
local_addrs_on_link(const struct local_addrs *l, const struct payload *theirs,
    struct addr *out, size_t max)
{
	size_t n = 0;

	for (uint8_t i = 0; i < theirs->addrs4_len && n < max; i++)
		if (is_on_link(l, &theirs->addrs4[i]))
			out[n++] = theirs->addrs4[i];
	return n;
}

bool
local_addrs_is_on_link6(const struct local_addrs *l, const struct addr *a)
{
	bool found = false;

	for (uint8_t i = 0; i < l->v6_len; i++)
		found |= addr_in_prefix(&l->v6[i], a, l->prefix_len6[i]);
	return found;
}
