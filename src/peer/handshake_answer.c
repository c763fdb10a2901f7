/* SPDX-License-Identifier: ISC */
#include "peer/handshake_answer.h"

#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "peer/conn_punch.h"
#include "signal/signal_message.h"

int
handshake_answer_read(struct handshake_answer *out, const struct noise *n,
    const struct dht_answer *a)
{
	uint8_t plain[NOISE_MESSAGE_MAX];
	struct handshake m;
	int err;

	if (a->err != 0)
		return a->err;
	if (a->reply->error != 0 || a->reply->value.p == NULL)
		return ERR_UNKNOWN;
	if (handshake_decode(&m, a->reply->value.p, a->reply->value.len) != 0 ||
	    m.mode != MODE_REPLY)
		return ERR_MALFORMED;
	if (m.noise.len < NOISE_2_OVERHEAD || m.noise.len > NOISE_MESSAGE_MAX)
		return ERR_SIZE;
	*out = (struct handshake_answer){
	    .node = a->from,
	    .relayed = m.peer.family != ADDR_NONE,
	    .server = m.peer.family != ADDR_NONE ? m.peer : a->from,
	    .us = a->reply->to,
	    .sock = a->sock,
	    .rtt_us = a->rtt_us,
	};
	err = noise_read2(n, m.noise, plain, &out->secrets);
	if (err == 0)
		err = payload_decode(
		    &out->payload, plain, m.noise.len - NOISE_2_OVERHEAD);
	sodium_memzero(plain, sizeof plain);
	if (err != 0)
		handshake_answer_wipe(out);
	return err;
}

int
handshake_answer_judge(const struct handshake_answer *a)
{
	const struct payload *p = &a->payload;

	if (p->version != PAYLOAD_VERSION)
		return ERR_PEER_VERSION;
	switch (p->error) {
	case SIGNAL_OK:
		break;
	case SIGNAL_VERSION_MISMATCH:
		return ERR_PEER_VERSION;
	case SIGNAL_TRY_LATER:
		return ERR_PEER_BUSY;
	default:
		return ERR_PEER_REFUSED;
	}
	return payload_has(p, PAYLOAD_UDX) ? 0 : ERR_PEER_REFUSED;
}

/* Returns the first public address that the server lists, or NULL. No other
 * listed address may be used unverified, pitfall H6. */
static const struct addr *
first_public_addr(const struct payload *p)
{
	for (uint8_t i = 0; i < p->addrs4_len; i++)
		if (addr_global(&p->addrs4[i]) && p->addrs4[i].port != 0)
			return &p->addrs4[i];
	return NULL;
}

/*
 * Adds the paths to a server that needs no punching: the address that it lists
 * and the one that the node sees. Neither is verified before the header is.
 */
static void
add_direct_paths(const struct handshake_answer *a, const struct peers_base *b,
    struct conn *c)
{
	const struct addr *listed = first_public_addr(&a->payload);
	int sock = dht_socket(b->dht);

	if (listed != NULL && dht_may_send(b->dht, listed)) {
		conn_add_path(c, CONN_PATH_DIRECT, sock, listed);
		conn_allow_host(c, listed);
	}
	if (dht_may_send(b->dht, &a->server))
		conn_add_path(c, CONN_PATH_DIRECT, sock, &a->server);
}

/* Adds the paths inside our own network, if the node sees both of us at one
 * address. */
static void
add_lan_paths(const struct handshake_answer *a, const struct peers_base *b,
    struct conn *c)
{
	struct addr near[CONN_LAN_PATHS_MAX];
	size_t n;

	if (!addr_same_host(&a->us, &a->server))
		return;
	n = local_addrs_neighbours(
	    b->local, b->dht, &a->payload, near, CONN_LAN_PATHS_MAX);
	for (size_t i = 0; i < n; i++) {
		conn_add_path(
		    c, CONN_PATH_LAN, dht_server_socket(b->dht), &near[i]);
		conn_allow_host(c, &near[i]);
	}
}

static bool
offers_punch(const struct handshake_answer *a)
{
	return a->relayed && a->payload.firewall != FIREWALL_OPEN &&
	       payload_has(&a->payload, PAYLOAD_HOLEPUNCH) &&
	       a->payload.relays_len > 0;
}

void
handshake_answer_punch(
    const struct handshake_answer *a, const uint8_t *target, struct conn *c)
{
	const struct payload *p = &a->payload;
	struct punch_peer peer = {
	    .addr = a->server,
	    .native = (p->features & PAYLOAD_NATIVE) != 0,
	    .rtt_us = a->rtt_us,
	    .target = target,
	    .id = p->holepunch_id,
	    .relay = a->node,
	};

	if (!offers_punch(a))
		return;
	for (uint8_t i = 0;
	     i < p->relays_len && peer.relays_len < PUNCH_RELAYS_MAX; i++) {
		peer.relays[peer.relays_len].relay = p->relays[i].relay;
		peer.relays[peer.relays_len++].peer = p->relays[i].peer;
	}
	conn_punch_saw(c, a->sock, &a->us, &a->node);
	conn_punch_connect(c, &a->secrets, &peer);
}

bool
handshake_answer_add_paths(const struct handshake_answer *a,
    const struct peers_base *b, struct conn *c)
{
	if (!a->relayed) {
		conn_add_path(c, CONN_PATH_DIRECT, a->sock, &a->server);
		return true;
	}
	if (!offers_punch(a))
		add_direct_paths(a, b, c);
	add_lan_paths(a, b, c);
	/* If we are open, the server connects to us. */
	return conn_has_path(c) || dht_open_address(b->dht) != NULL;
}

size_t
handshake_answer_relays(
    const struct handshake_answer *a, struct addr *out, size_t max)
{
	const struct payload *p = &a->payload;
	size_t n = 0;

	for (uint8_t i = 0; i < p->relay_addrs_len && n < max; i++)
		out[n++] = p->relay_addrs[i];
	for (size_t i = 0; i < n; i++)
		if (addr_equal(&out[i], &a->node)) {
			out[i] = out[0];
			out[0] = a->node;
			return n;
		}
	/* A mapping of the server's NAT ends with the connection. */
	if (!a->relayed && p->firewall != FIREWALL_OPEN)
		return n;
	/* The node is not on the list, but has just reached the server. */
	if (n == max)
		n--;
	memmove(out + 1, out, n * sizeof *out);
	out[0] = a->node;
	return n + 1;
}

void
handshake_answer_wipe(struct handshake_answer *a)
{
	sodium_memzero(a, sizeof *a);
}
