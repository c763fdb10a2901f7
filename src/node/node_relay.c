/* SPDX-License-Identifier: ISC */
#include "node/node_relay.h"

#include "base/err.h"
#include "node/node_struct.h"
#include "peer/conn.h"
#include "peer/relay_service.h"

int
node_set_relaying(struct node *n, const struct node_relaying *r)
{
	struct peers_relay spec = {.keys = n->config.relay_keys,
	    .allow = r->allow,
	    .allow_len = r->allow_len,
	    .friends = r->friends,
	    .friends_len = r->friends_len};
	int err = 0;

	if (n->leave.started)
		return ERR_CLOSED;
	relay_announcer_stop(n);
	peers_relay_stop(n->peers);
	if (r->on)
		err = spec.keys != NULL ? peers_relay_start(n->peers, &spec)
					: ERR_VALUE;
	n->relaying = (struct node_relay_state){.on = r->on && err == 0,
	    .mode = r->mode,
	    .allow_len = r->allow_len};
	/* A relay for some keys alone is of no use to other nodes. */
	if (n->relaying.on && r->allow_len == 0)
		relay_announcer_start(n, spec.keys);
	return err;
}

void
node_set_relay_volume(struct node *n, uint64_t month)
{
	relay_volume_set(peers_relay_volume(n->peers), month, n->world->now_us);
}

void
node_restore_relay_volume(
    struct node *n, const struct relay_volume_saved *saved)
{
	relay_volume_restore(peers_relay_volume(n->peers), saved,
	    n->world->unix_ms, n->world->now_us);
}

bool
node_save_relay_volume(
    struct node *n, bool last, struct relay_volume_saved *out)
{
	struct relay_volume *v = peers_relay_volume(n->peers);

	if (v->month == 0 || !n->relaying.on ||
	    (!last && !relay_volume_is_due(v, n->world->now_us)))
		return false;
	*out = relay_volume_save(v, n->world->unix_ms, n->world->now_us, last);
	return true;
}

void
node_relay_volume_stored(struct node *n, const struct relay_volume_saved *saved)
{
	relay_volume_stored(peers_relay_volume(n->peers), saved);
}

static uint32_t
count_relayed(const struct peers *p)
{
	const struct conn *c = NULL;
	struct conn_status st;
	uint32_t after = 0, n = 0;

	while ((c = peers_conn_after(p, after)) != NULL) {
		conn_status(c, &st);
		n += st.open && st.path == CONN_PATH_RELAYED;
		after = st.number;
	}
	return n;
}

void
node_relay_status(const struct node *n, struct node_relay_status *out)
{
	struct relay_server_status server;

	peers_relay_status(n->peers, &server);
	*out = (struct node_relay_status){
	    .on = n->relaying.on,
	    .mode = n->relaying.mode,
	    .allow_len = n->relaying.allow_len,
	    .key = n->config.relay_keys != NULL
		       ? n->config.relay_keys->public_key
		       : NULL,
	    .used_conns = count_relayed(n->peers),
	    .sessions = server.sessions,
	    .waiting = server.waiting,
	    .pairings = server.linked,
	    .bytes = n->stats.relayed_bytes,
	    .packets = n->stats.packets_relayed,
	};
	relay_volume_status(
	    peers_relay_volume(n->peers), n->world->now_us, &out->volume);
}
