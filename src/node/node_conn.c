/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "node/node_conn.h"
#include "node/node_struct.h"
#include "peer/conn.h"
#include "peer/dialer.h"
#include "peer/relay_finder.h"

bool
node_conn_poll(struct node *n, struct node_event *out)
{
	static const enum node_event_kind kinds[] = {
	    [PEER_LISTENING] = NODE_EV_LISTENING,
	    [PEER_UNLISTENED] = NODE_EV_UNLISTENED,
	    [PEER_REFUSED] = NODE_EV_REFUSED,
	    [PEER_OFFER] = NODE_EV_OFFER,
	    [PEER_OPEN] = NODE_EV_OPEN,
	    [PEER_MOVED] = NODE_EV_MOVED,
	    [PEER_READY] = NODE_EV_READY,
	    [PEER_CLOSED] = NODE_EV_CLOSED,
	};
	struct peer_event e;

	do {
		if (!peers_poll(n->peers, &e) && !node_swarms_ended(n, &e))
			return false;
		if (e.kind == PEER_LISTENING)
			announcements_relays_changed(n, e.key);
		if (e.kind == PEER_UNLISTENED)
			node_leave_continue(n);
	} while (e.internal || !node_swarms_take(n, &e));
	memset(out, 0, offsetof(struct node_event, value));
	out->kind = kinds[e.kind];
	out->op = e.number;
	out->listener = e.listener;
	out->err = e.err;
	out->stored = e.stored;
	out->path = (uint8_t)e.path;
	out->node = e.addr;
	memcpy(out->key, e.key, KEY_LEN);
	return true;
}

int
node_connect(struct node *n, const struct node_connect *c, uint32_t *conn)
{
	struct dial_spec spec = {
	    .key = c->key,
	    .own = c->keys != NULL ? c->keys : n->config.identity,
	    .relays = c->relays,
	    .relays_len = c->relays_len,
	    .timeout_ms = c->timeout_ms,
	    .relay_through = node_relay(n, c->relay_through),
	};

	if (n->leave.started)
		return ERR_CLOSED;
	return dialer_connect(n->peers, &spec, conn);
}

uint32_t
node_retry_ms(const struct node *n, int err)
{
	return relay_finder_retry_ms(peers_finder(n->peers), err);
}

bool
node_names_relay(struct node *n, const uint8_t *key)
{
	return node_relay(n, NULL) == NULL &&
	       relay_finder_for_dial(peers_finder(n->peers), key) != NULL;
}

/* ---- bytes ---- */

struct bytes
node_conn_peek(struct node *n, uint32_t conn)
{
	struct conn *c = peers_conn(n->peers, conn);

	return c != NULL ? conn_peek(c) : (struct bytes){0};
}

void
node_conn_consume(struct node *n, uint32_t conn, size_t len)
{
	struct conn *c = peers_conn(n->peers, conn);

	if (c != NULL)
		conn_consume(c, len);
}

bool
node_conn_ended(struct node *n, uint32_t conn)
{
	const struct conn *c = peers_conn(n->peers, conn);

	return c != NULL && conn_ended(c);
}

size_t
node_conn_space(struct node *n, uint32_t conn)
{
	const struct conn *c = peers_conn(n->peers, conn);

	return c != NULL ? conn_write_space(c) : 0;
}

ptrdiff_t
node_conn_write(struct node *n, uint32_t conn, const void *p, size_t len)
{
	struct conn *c = peers_conn(n->peers, conn);

	return c != NULL ? conn_write(c, p, len) : ERR_CLOSED;
}

uint64_t
node_conn_waiting(struct node *n, uint32_t conn)
{
	const struct conn *c = peers_conn(n->peers, conn);

	return c != NULL ? conn_unacked(c) : 0;
}

void
node_conn_end(struct node *n, uint32_t conn)
{
	struct conn *c = peers_conn(n->peers, conn);

	if (c != NULL)
		conn_end(c);
}

void
node_conn_close(struct node *n, uint32_t conn)
{
	struct conn *c = peers_conn(n->peers, conn);

	if (c == NULL)
		return;
	conn_close(c);
	node_swarms_closed(n, conn);
}

/* ---- status ---- */

bool
node_conn(const struct node *n, uint32_t after, struct node_conn *out)
{
	const struct conn *c = peers_conn_after(n->peers, after);
	struct conn_status st;

	if (c == NULL)
		return false;
	conn_status(c, &st);
	*out = (struct node_conn){
	    .conn = st.number,
	    .listener = st.listener,
	    .open = st.open,
	    .path = st.path,
	    .remote = st.remote,
	    .rtt_us = st.udx.srtt_us,
	    .bytes_in = st.udx.bytes_in,
	    .bytes_out = st.udx.bytes_out,
	    .packets_out = st.udx.packets_out,
	    .resent = st.udx.resent,
	    .age_us = st.age_us,
	};
	memcpy(out->key, st.key, KEY_LEN);
	memcpy(out->own_key, st.own_key, KEY_LEN);
	return true;
}

struct udx_trace *
node_conn_trace(struct node *n, uint32_t conn, int *err)
{
	struct conn *c = peers_conn(n->peers, conn);

	*err = ERR_UNKNOWN;
	return c != NULL ? conn_trace(c, err) : NULL;
}

bool
node_attempt(const struct node *n, const uint8_t *key, uint32_t before,
    struct node_attempt *out)
{
	const struct dial_record *a = peers_dial_record(n->peers, key, before);

	if (a == NULL)
		return false;
	*out = (struct node_attempt){
	    .number = a->number,
	    .conn = a->conn,
	    .age_us = n->world->now_us - a->began_us,
	    .err = a->err,
	    .steps = a->steps,
	    .steps_len = a->steps_len,
	    .steps_lost = a->steps_lost,
	};
	memcpy(out->key, a->key, KEY_LEN);
	return true;
}
