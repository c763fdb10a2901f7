/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "punch/socket_table.h"

struct socket_entry *
socket_table_find(const struct socket_table *t, int sock)
{
	struct socket_entry *e;

	/*
	 * The world assigns the handles, not a peer: no keyed hash is needed.
	 */
	HASH_FIND_BYHASHVALUE(
	    hh, t->entries, &sock, sizeof sock, (unsigned)sock, e);
	return e;
}

int
socket_table_open(
    struct socket_table *t, struct socket_entry *e, uint16_t *port)
{
	struct addr bound;

	e->sock = dht_open_socket(t->dht, &bound);
	if (e->sock < 0)
		return e->sock;
	*port = bound.port;
	HASH_ADD_BYHASHVALUE(
	    hh, t->entries, sock, sizeof e->sock, (unsigned)e->sock, e);
	if (e->hh.tbl != NULL)
		return 0;
	dht_close_socket(t->dht, e->sock);
	return ERR_MEMORY;
}

void
socket_table_close(struct socket_table *t, struct socket_entry *e)
{
	HASH_DELETE(hh, t->entries, e);
	dht_close_socket(t->dht, e->sock);
}
