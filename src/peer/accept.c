/* SPDX-License-Identifier: ISC */
#include "peer/accept.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "peer/conn_punch.h"
#include "peer/conn_struct.h"
#include "peer/listener_struct.h"

void
incoming_wipe(struct incoming *in)
{
	sodium_memzero(in, sizeof *in);
}

/* ---- the client's message ---- */

static int
open_message(
    struct listener *l, const struct router_call *call, struct incoming *in)
{
	uint8_t plain[NOISE_MESSAGE_MAX];
	int err = ERR_SIZE;

	if (call->sealed.len > sizeof plain)
		return ERR_SIZE;
	err = noise_read1(&in->noise, l->keys, call->sealed, plain);
	if (err == 0)
		err = payload_decode(
		    &in->theirs, plain, call->sealed.len - NOISE_1_OVERHEAD);
	sodium_memzero(plain, sizeof plain);
	return err;
}

int
accept_open(
    struct listener *l, const struct router_call *call, struct incoming *in)
{
	int err = open_message(l, call, in);

	/* No answer is sent, as if the key did not listen: pitfall V3. Only
	 * the key is checked, as a relay may forge an address: pitfall V10. */
	if (err == 0 && !listener_allows(l, in->noise.rs)) {
		listener_refuse(l, in->noise.rs);
		err = ERR_REFUSED;
	}
	if (err != 0) {
		incoming_wipe(in);
		return err;
	}
	in->call = *call;
	in->call.sealed = (struct bytes){0};
	return 0;
}

uint64_t
accept_judge(const struct payload *theirs)
{
	if (theirs->version != PAYLOAD_VERSION)
		return SIGNAL_VERSION_MISMATCH;
	if (!payload_has(theirs, PAYLOAD_UDX))
		return SIGNAL_ABORTED;
	return SIGNAL_OK;
}

/* ---- our answer ---- */

/* Lists the nodes that forward to us: the client sends its punch requests
 * through them. */
static void
offer_punch(const struct session *s, const struct relay_set *relays,
    struct payload *out)
{
	out->holepunch_id = s->id;
	for (uint32_t i = 0; i < relays->len; i++)
		out->relays[i] = (struct payload_relay){
		    .relay = relays->at[i].relay, .peer = relays->at[i].us};
	out->relays_len = (uint8_t)relays->len;
	if (relays->len > 0)
		out->flags |= PAYLOAD_HOLEPUNCH;
}

static void
describe_server(const struct session *s, struct payload *out)
{
	const struct peers_base *b = &s->ls->peers->base;
	const struct listener *l = listener_by_number(s->ls, s->listener);

	out->udx_id = conn_udx_id(s->conn);
	peers_describe(s->ls->peers, out);
	if (dht_open_address(b->dht) == NULL)
		offer_punch(s, announced_relays(l->announced), out);
	out->relay_addrs_len =
	    (uint8_t)announced_addresses(l->announced, out->relay_addrs);
	if (out->relay_addrs_len > 0)
		out->flags |= PAYLOAD_RELAY_ADDRS;
}

/* Encrypts the payload into s->answer, which it allocates. */
static int
seal_answer(struct session *s, const struct incoming *in, struct bytes plain,
    struct noise_secrets *secrets)
{
	struct world *w = s->ls->peers->core->world;
	uint8_t seed[KEY_SEED_LEN];
	int err;

	s->answer = malloc(plain.len + NOISE_2_OVERHEAD);
	if (s->answer == NULL)
		return ERR_MEMORY;
	w->ops->random(w, seed, sizeof seed);
	err = noise_write2(&in->noise, seed, plain, s->answer, secrets);
	sodium_memzero(seed, sizeof seed);
	if (err != 0) {
		free(s->answer);
		s->answer = NULL;
		return err;
	}
	s->answer_len = (uint16_t)(plain.len + NOISE_2_OVERHEAD);
	return 0;
}

/* Returns true if the client is reachable without punching or a relay. */
static bool
reaches_client(const struct incoming *in)
{
	return in->call.direct || in->theirs.firewall == FIREWALL_OPEN;
}

/*
 * Creates the puncher. The relay that forwards the answer adds the address that
 * it was sent from, so the answer is sent from the puncher's socket (pitfall
 * V8); to a client in our own network, from the socket of our local addresses.
 */
static void
open_puncher(struct session *s, const struct incoming *in)
{
	const struct peers_base *b = &s->ls->peers->base;
	struct addr near;
	int sock;

	if (reaches_client(in))
		return;
	sock = conn_punch_open(s->conn);
	if (!addr_same_host(&in->call.client, &in->call.us) ||
	    local_addrs_neighbours(b->local, b->dht, &in->theirs, &near, 1) ==
		0)
		s->answer_sock = sock;
}

static void
accept_punch(struct session *s, const struct incoming *in,
    const struct noise_secrets *secrets)
{
	struct punch_peer peer = {.addr = in->call.client,
	    .native = (in->theirs.features & PAYLOAD_NATIVE) != 0};

	conn_punch_accept(s->conn, secrets, &peer);
}

/*
 * Adds a path to a client that is open or has sent its message to us directly,
 * as it waits for our first packet: to the address that was seen, not to one
 * that it lists (pitfall V7). All other clients send first.
 */
static void
add_client_path(struct session *s, const struct incoming *in)
{
	int sock = dht_socket(s->ls->peers->base.dht);

	if (in->call.direct)
		conn_add_path(s->conn, CONN_PATH_DIRECT, in->call.ticket.sock,
		    &in->call.client);
	else if (in->theirs.firewall == FIREWALL_OPEN)
		conn_add_path(
		    s->conn, CONN_PATH_DIRECT, sock, &in->call.client);
}

/*
 * Returns true for a client in our own network: both hosts have the same public
 * address. That counts only if one of our relays reports it, so that a client
 * elsewhere cannot make us send to hosts here.
 */
static bool
is_neighbour(const struct session *s, const struct incoming *in)
{
	const struct listener *l = listener_by_number(s->ls, s->listener);

	return !in->call.direct && l != NULL &&
	       addr_same_host(&in->call.client, &in->call.us) &&
	       announced_through(l->announced, &in->call.ticket.from);
}

/*
 * Opens our host's firewall for the first packets of a client in our own
 * network: sends one probe to each of its addresses on our links. The key has
 * passed the allow list.
 */
static void
probe_neighbour(const struct session *s, const struct incoming *in)
{
	const struct peers_base *b = &s->ls->peers->base;
	struct addr near[CONN_LAN_PATHS_MAX];
	size_t n;

	n = local_addrs_on_link(
	    b->local, &in->theirs, near, CONN_LAN_PATHS_MAX);
	for (size_t i = 0; i < n; i++)
		if (punch_may_probe(b->punch, &near[i], &s->conn->punch.origin))
			(void)punch_probe(
			    b->punch, dht_server_socket(b->dht), &near[i], 0);
}

/* Returns the relay to name to a client, or NULL. One that was found is named
 * to a validated source alone, as we dial it for each of these clients. */
static const uint8_t *
relay_for(const struct session *s, const struct incoming *in)
{
	struct relay_finder *f = &s->ls->peers->finder;
	const struct listener *l = listener_by_number(s->ls, s->listener);

	if (reaches_client(in) || conn_is_hidden(s->conn))
		return NULL;
	if (l->names_relay)
		return l->relay_key;
	if (s->trust != HANDSHAKE_VALIDATED)
		return NULL;
	return relay_finder_for_answer(f, s->conn->key, is_neighbour(s, in));
}

static void
name_relay(
    const struct session *s, const struct incoming *in, struct payload *out)
{
	struct world *w = s->ls->peers->core->world;
	const uint8_t *relay = relay_for(s, in);

	if (relay == NULL)
		return;
	out->flags |= PAYLOAD_RELAY_THROUGH;
	memcpy(out->relay_key, relay, KEY_LEN);
	w->ops->random(w, out->relay_token, PAYLOAD_TOKEN_LEN);
}

/* Returns the address charged for the relay that the client names: the client's
 * if one of our relay nodes reports it, otherwise the sender's. */
static const struct addr *
payer_of(const struct session *s, const struct incoming *in)
{
	const struct listener *l = listener_by_number(s->ls, s->listener);
	const struct addr *from = &in->call.ticket.from;

	return announced_through(l->announced, from) ? &in->call.client : from;
}

/* Dials the blind relay that we name, or else the one that the client names.
 * The latter requires a validated source of the handshake, pitfall V11; the
 * client is charged unless our own configuration names the relay. */
static void
begin_relay(const struct session *s, const struct incoming *in,
    const struct payload *ours)
{
	const struct listener *l = listener_by_number(s->ls, s->listener);
	const struct payload *theirs = &in->theirs;
	struct conn_relay_spec spec = {.key = ours->relay_key,
	    .token = ours->relay_token,
	    .initiator = true,
	    .payer = l->names_relay ? NULL : payer_of(s, in)};

	if (reaches_client(in))
		return;
	if (!payload_has(ours, PAYLOAD_RELAY_THROUGH)) {
		if (!payload_has(theirs, PAYLOAD_RELAY_THROUGH) ||
		    s->trust != HANDSHAKE_VALIDATED)
			return;
		spec = (struct conn_relay_spec){.key = theirs->relay_key,
		    .token = theirs->relay_token,
		    .payer = payer_of(s, in)};
	}
	conn_relay_begin(s->conn, &spec);
}

static int
complete_handshake(struct session *s, const struct incoming *in,
    const struct payload *ours, const struct noise_secrets *secrets)
{
	bool near = is_neighbour(s, in);
	int err =
	    conn_complete_handshake(s->conn, secrets, false, in->theirs.udx_id);

	if (err != 0)
		return err;
	conn_set_features(s->conn, in->theirs.features);
	add_client_path(s, in);
	if (near)
		probe_neighbour(s, in);
	conn_ipv6_begin(s->conn, &in->theirs, near);
	accept_punch(s, in, secrets);
	begin_relay(s, in, ours);
	return 0;
}

int
accept_answer(struct session *s, const struct incoming *in, uint64_t error)
{
	struct payload out = {
	    .version = PAYLOAD_VERSION,
	    .flags = PAYLOAD_UDX | PAYLOAD_SECRET_STREAM,
	    .error = error,
	    .features = PAYLOAD_NATIVE | PAYLOAD_REUSABLE |
			(in->theirs.features & PAYLOAD_REDIAL),
	};
	uint8_t plain[PAYLOAD_LEN_MAX];
	struct noise_secrets secrets;
	struct bytes b = {.p = plain};
	int err;

	if (error == SIGNAL_OK) {
		open_puncher(s, in);
		describe_server(s, &out);
		name_relay(s, in, &out);
	}
	b.len = payload_encode(&out, plain, sizeof plain);
	err = b.len > 0 ? seal_answer(s, in, b, &secrets) : ERR_VALUE;
	if (err != 0)
		return err;
	if (error == SIGNAL_OK)
		err = complete_handshake(s, in, &out, &secrets);
	noise_secrets_wipe(&secrets);
	return err;
}
