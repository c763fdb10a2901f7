/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "peer/handshake_answer.h"
#include "peer/conn_punch.h"
#include "signal/signal_message.h"

/* Addresses of the same network that are knocked at, most alike first. */
enum { NEIGHBOURS_MAX = 4 };

int
answer_read(
    struct answer *out, const struct noise *n, const struct dht_answer *a)
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
	*out = (struct answer){
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
		answer_wipe(out);
	return err;
}

int
answer_verdict(const struct answer *a)
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

/* The first that it lists that may be dialed at its word, pitfall H6. */
static const struct addr *
listed_open(const struct payload *p)
{
	for (uint8_t i = 0; i < p->addrs4_len; i++)
		if (addr_global(&p->addrs4[i]) && p->addrs4[i].port != 0)
			return &p->addrs4[i];
	return NULL;
}

/*
 * A server that anybody reaches: at what it lists, or as the node sees it.
 * Neither is proved before the stream is, so both are tried.
 */
static void
offer_direct(const struct answer *a, const struct peers_base *b, struct conn *c)
{
	const struct addr *listed = listed_open(&a->payload);
	int sock = dht_socket(b->dht);

	if (listed != NULL && dht_may_send(b->dht, listed))
		conn_add_path(c, CONN_PATH_DIRECT, sock, listed);
	if (dht_may_send(b->dht, &a->server))
		conn_add_path(c, CONN_PATH_DIRECT, sock, &a->server);
}

/* Seen by the node at the same address, we may be of the same network. */
static void
offer_lan(const struct answer *a, const struct peers_base *b, struct conn *c)
{
	struct addr near[NEIGHBOURS_MAX];
	size_t n;

	if (!addr_same_host(&a->us, &a->server))
		return;
	n = local_addrs_neighbours(
	    b->local, b->dht, &a->payload, near, NEIGHBOURS_MAX);
	for (size_t i = 0; i < n; i++)
		conn_add_path(
		    c, CONN_PATH_LAN, dht_server_socket(b->dht), &near[i]);
}

static bool
offers_punch(const struct answer *a)
{
	return a->relayed && a->payload.firewall != FIREWALL_OPEN &&
	       payload_has(&a->payload, PAYLOAD_HOLEPUNCH) &&
	       a->payload.relays_len > 0;
}

void
answer_punch(const struct answer *a, const uint8_t *target, struct conn *c)
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
answer_paths(const struct answer *a, const struct peers_base *b, struct conn *c)
{
	if (!a->relayed) {
		conn_add_path(c, CONN_PATH_DIRECT, a->sock, &a->server);
		return true;
	}
	if (!offers_punch(a))
		offer_direct(a, b, c);
	offer_lan(a, b, c);
	/* Open as we are, the server connects to us. */
	return conn_has_path(c) || dht_open_address(b->dht) != NULL;
}

size_t
answer_relays(const struct answer *a, struct addr *out, size_t max)
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
	/* An address behind a NAT lasts no longer than the connection. */
	if (!a->relayed && p->firewall != FIREWALL_OPEN)
		return n;
	/* Not on the list, but it has just proved to know the way. */
	if (n == max)
		n--;
	memmove(out + 1, out, n * sizeof *out);
	out[0] = a->node;
	return n + 1;
}

void
answer_wipe(struct answer *a)
{
	sodium_memzero(a, sizeof *a);
}
