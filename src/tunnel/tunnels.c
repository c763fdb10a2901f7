/* SPDX-License-Identifier: ISC */
#include "tunnel/tunnels.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "log/log.h"
#include "node/node.h"
#include "node/node_conn.h"
#include "tunnel/tunnel_file.h"

enum { RETRY_S = 5 };

/* ---- the list ---- */

static struct tunnel *
find_tunnel(const struct tunnels *t, enum tunnel_kind kind, const char *name)
{
	struct tunnel *one;

	TAILQ_FOREACH (one, &t->list, link) {
		if (!one->ending && one->spec.kind == kind &&
		    strcmp(tunnel_name(one), name) == 0)
			return one;
	}
	return NULL;
}

static struct tunnel *
find_listener(const struct tunnels *t, uint32_t listener)
{
	struct tunnel *one;

	TAILQ_FOREACH (one, &t->list, link) {
		if (listener != 0 && one->listener == listener)
			return one;
	}
	return NULL;
}

const struct tunnel *
tunnels_next(const struct tunnels *t, uint32_t after)
{
	const struct tunnel *one;

	TAILQ_FOREACH (one, &t->list, link) {
		if (one->number > after && !one->ending)
			return one;
	}
	return NULL;
}

static struct tunnel *
new_tunnel(struct tunnels *t, const struct tunnel_spec *spec)
{
	struct tunnel *one = calloc(1, sizeof *one);

	if (one == NULL)
		return NULL;
	one->all = t;
	one->spec = *spec;
	one->number = ++t->last_number;
	LIST_INIT(&one->conns);
	TAILQ_INSERT_TAIL(&t->list, one, link);
	t->len++;
	return one;
}

static void
free_tunnel(struct tunnel *one)
{
	struct tunnels *t = one->all;

	TAILQ_REMOVE(&t->list, one, link);
	t->len--;
	keyring_return(t->keyring, one->keys);
	free(one);
}

static void
end_tunnel(struct tunnel *one)
{
	if (tunnel_close(one))
		free_tunnel(one);
}

/* ---- opening again ---- */

void
tunnels_retry(struct tunnels *t)
{
	static const struct timeval pause = {.tv_sec = RETRY_S};

	(void)evtimer_add(t->again, &pause);
}

static void
open_all(struct tunnels *t)
{
	struct tunnel *one;
	struct fault f;

	TAILQ_FOREACH (one, &t->list, link) {
		int before = one->err;

		if (one->ending || tunnel_open(one, &f) == 0)
			continue;
		if (one->err != before)
			log_error("tunnel %s: %s; trying again every %d s",
			    tunnel_name(one), f.text, RETRY_S);
		tunnels_retry(t);
	}
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct tunnels *t = arg;

	(void)fd;
	(void)what;
	node_loop_wake(&t->loop);
	open_all(t);
	node_loop_settle(&t->loop);
}

/* ---- life ---- */

int
tunnels_init(struct tunnels *t, const struct node_loop *loop, struct keyring *k)
{
	*t = (struct tunnels){.loop = *loop, .keyring = k};
	TAILQ_INIT(&t->list);
	for (int i = 0; i < TUNNEL_CONN_BUCKETS; i++)
		LIST_INIT(&t->conns.buckets[i]);
	t->again = evtimer_new(loop->base, on_again, t);
	return t->again != NULL ? 0 : ERR_MEMORY;
}

static void
add_stored(void *owner, const struct tunnel_spec *spec)
{
	struct tunnels *t = owner;

	if (t->len == TUNNELS_MAX || new_tunnel(t, spec) == NULL)
		log_error("a stored tunnel is not opened: there are %d, or"
			  " memory is short",
		    TUNNELS_MAX);
}

void
tunnels_start(struct tunnels *t)
{
	t->unreadable = tunnel_file_load(t->keyring->state, add_stored, t) != 0;
	open_all(t);
	if (t->len > 0)
		log_info("%u tunnels", (unsigned)t->len);
}

void
tunnels_fini(struct tunnels *t)
{
	struct tunnel *one;

	if (t->loop.node == NULL)
		return;
	if (t->again != NULL)
		event_free(t->again);
	while ((one = TAILQ_FIRST(&t->list)) != NULL) {
		(void)tunnel_close(one);
		one->keys = NULL; /* the node still uses them */
		free_tunnel(one);
	}
}

/* ---- changes ---- */

static int
check_new(
    const struct tunnels *t, const struct tunnel_spec *spec, struct fault *f)
{
	bool exposed = spec->kind == TUNNEL_EXPOSED;
	const char *name = exposed ? spec->name : spec->address.text;

	if (t->unreadable)
		return fault_set(f, ERR_FILE,
		    "the stored tunnels could not be read at the start: mend"
		    " the file, then restart the daemon");
	if (find_tunnel(t, spec->kind, name) != NULL)
		return fault_set(f, ERR_EXISTS, "%s is %s already", name,
		    exposed ? "exposed" : "forwarded");
	if (t->len >= TUNNELS_MAX)
		return fault_set(
		    f, ERR_LIMIT, "there are %d tunnels", TUNNELS_MAX);
	return exposed ? tunnel_address_check_target(&spec->address, f) : 0;
}

int
tunnels_add(struct tunnels *t, const struct tunnel_spec *spec,
    const struct tunnel **added, struct fault *f)
{
	int err = check_new(t, spec, f);
	struct tunnel *one;

	if (err != 0)
		return err;
	one = new_tunnel(t, spec);
	if (one == NULL)
		return fault_set_code(f, ERR_MEMORY);
	err = tunnel_open(one, f);
	if (err == 0)
		err = tunnel_file_save(t, f);
	if (err != 0) {
		end_tunnel(one);
		return err;
	}
	*added = one;
	return 0;
}

int
tunnels_remove(
    struct tunnels *t, enum tunnel_kind kind, const char *name, struct fault *f)
{
	struct tunnel *one = find_tunnel(t, kind, name);
	int err;

	if (one == NULL)
		return fault_set(f, ERR_UNKNOWN, "%s is not %s", name,
		    kind == TUNNEL_EXPOSED ? "exposed" : "forwarded");
	one->ending = true;
	err = tunnel_file_save(t, f);
	one->ending = false;
	if (err == 0)
		end_tunnel(one);
	return err;
}

/* ---- events of the node ---- */

/* A node that stops ends the listeners by itself: the connections of the tunnel
 * go on until they have ended, or until tunnels_fini(). */
static void
on_unlistened(struct tunnel *one)
{
	one->listener = 0;
	if (one->ending)
		free_tunnel(one);
}

bool
tunnels_node_event(struct tunnels *t, const struct node_event *ev)
{
	struct tunnel_conn *c;
	struct tunnel *one;

	switch (ev->kind) {
	case NODE_EV_LISTENING:
	case NODE_EV_REFUSED:
		return find_listener(t, ev->op) != NULL;
	case NODE_EV_UNLISTENED:
		one = find_listener(t, ev->op);
		if (one != NULL)
			on_unlistened(one);
		return one != NULL;
	case NODE_EV_OPEN:
	case NODE_EV_MOVED:
	case NODE_EV_READY:
	case NODE_EV_CLOSED:
		c = tunnel_conn_find(&t->conns, ev->op);
		if (c != NULL)
			tunnel_conn_event(c, ev);
		if (c != NULL || ev->kind != NODE_EV_OPEN)
			return c != NULL;
		one = find_listener(t, ev->listener);
		if (one != NULL && one->ending)
			node_conn_close(t->loop.node, ev->op);
		else if (one != NULL)
			tunnel_conn_serve(one, ev->op);
		return one != NULL;
	default:
		return false;
	}
}
