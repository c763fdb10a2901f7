/* SPDX-License-Identifier: ISC */
#include "tunnel/tunnel.h"

#include <event2/listener.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/limits.h"
#include "log/log.h"
#include "node/node.h"
#include "node/node_conn.h"
#include "tunnel/tunnels.h"

/* The operator alone makes tunnels, so their keys are the daemon's. */
static const struct keyring_owner tunnel_owner = {.daemon = true};

const char *
tunnel_name(const struct tunnel *t)
{
	return t->spec.kind == TUNNEL_EXPOSED ? t->spec.name
					      : t->spec.address.text;
}

bool
tunnel_is_open(const struct tunnel *t)
{
	return t->listener != 0 || t->acceptor != NULL;
}

/* ---- keys ---- */

/* Creates the key of a service that has none. */
static int
make_key(const struct tunnel *t, struct fault *f)
{
	const struct keyring *k = t->all->keyring;
	const char *name = t->spec.name;
	uint8_t public_key[KEY_LEN];

	if (t->spec.kind != TUNNEL_EXPOSED ||
	    keyring_has(k, &tunnel_owner, name))
		return 0;
	return keyring_make(k, &tunnel_owner, name, public_key, f);
}

static int
borrow_keys(struct tunnel *t, struct fault *f)
{
	struct keyring *k = t->all->keyring;
	int err;

	if (t->keys != NULL || t->spec.name[0] == '\0')
		return 0;
	err = make_key(t, f);
	return err != 0 ? err
			: keyring_lend_stored(
			      k, &tunnel_owner, t->spec.name, &t->keys, f);
}

/* ---- listening ---- */

static int
listen_for_peers(struct tunnel *t, struct fault *f)
{
	const struct node_listen spec = {.keys = t->keys,
	    .allow = (const uint8_t(*)[KEY_LEN])t->spec.allow,
	    .allow_len = t->spec.allow_len};
	int err = node_listen(t->all->loop.node, &spec, &t->listener);

	if (err == ERR_EXISTS)
		return fault_set(f, err,
		    "another listener uses the key named %s", t->spec.name);
	return err == 0 ? 0 : fault_set_code(f, err);
}

static void
on_accept(struct evconnlistener *acceptor, evutil_socket_t fd,
    struct sockaddr *from, int len, void *owner)
{
	struct tunnel *t = owner;
	const struct node_loop *loop = &t->all->loop;

	(void)acceptor;
	(void)from;
	(void)len;
	node_loop_wake(loop);
	tunnel_conn_dial(t, fd);
	node_loop_settle(loop);
}

/* Without descriptors the socket would be readable all the time: the tunnel
 * pauses until tunnels.c tries again. */
static void
on_accept_error(struct evconnlistener *acceptor, void *owner)
{
	struct tunnel *t = owner;

	log_error("tunnel %s: cannot accept a connection: %m", tunnel_name(t));
	(void)evconnlistener_disable(acceptor);
	tunnels_retry(t->all);
}

void
tunnel_update_acceptor(struct tunnel *t)
{
	const struct limits *l = node_limits(t->all->loop.node);

	if (t->acceptor == NULL)
		return;
	if (t->dials < l->tunnel_dials && t->conns_len < l->tunnel_connections)
		(void)evconnlistener_enable(t->acceptor);
	else
		(void)evconnlistener_disable(t->acceptor);
}

static int
listen_for_programs(struct tunnel *t, struct fault *f)
{
	int fd = tunnel_address_listen(&t->spec.address, f);

	if (fd < 0)
		return fd;
	t->acceptor = evconnlistener_new(t->all->loop.base, on_accept, t,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (t->acceptor == NULL) {
		close(fd);
		return fault_set_code(f, ERR_MEMORY);
	}
	evconnlistener_set_error_cb(t->acceptor, on_accept_error);
	return 0;
}

int
tunnel_open(struct tunnel *t, struct fault *f)
{
	tunnel_update_acceptor(t);
	if (tunnel_is_open(t))
		return 0;
	t->err = borrow_keys(t, f);
	if (t->err == 0)
		t->err = t->spec.kind == TUNNEL_EXPOSED
			     ? listen_for_peers(t, f)
			     : listen_for_programs(t, f);
	return t->err;
}

bool
tunnel_close(struct tunnel *t)
{
	while (!LIST_EMPTY(&t->conns))
		tunnel_conn_drop(LIST_FIRST(&t->conns));
	if (t->acceptor != NULL) {
		evconnlistener_free(t->acceptor);
		t->acceptor = NULL;
		tunnel_address_remove(&t->spec.address);
	}
	if (t->listener != 0 && !t->ending)
		node_unlisten(t->all->loop.node, t->listener);
	t->ending = true;
	return t->listener == 0;
}
