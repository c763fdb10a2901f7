/* SPDX-License-Identifier: ISC */
#include "peer/ipv6_socket.h"

#include "peer/peers_struct.h"

static bool
open_at_port(struct peers *p, uint16_t port)
{
	struct addr at = p->base.host6, bound;
	int sock;

	at.port = port;
	sock = p->core->world->ops->open(p->core->world, &at, &bound);
	if (sock < 0)
		return false;
	p->ipv6 = (struct ipv6_socket){.sock = sock, .port = bound.port};
	return true;
}

bool
ipv6_socket_open(struct peers *p)
{
	if (p->base.host6.family != ADDR_V6 || p->base.local->v6_len == 0 ||
	    dht_server_socket(p->base.dht) == WORLD_NO_SOCK)
		return false;
	if (p->ipv6.sock != WORLD_NO_SOCK)
		return true;
	if (!open_at_port(p, dht_server_address(p->base.dht)->port))
		(void)open_at_port(p, 0);
	return false;
}

void
ipv6_socket_close(struct peers *p)
{
	if (p->ipv6.sock == WORLD_NO_SOCK)
		return;
	udx_socket_closed(p->base.udx, p->ipv6.sock);
	p->core->world->ops->close(p->core->world, p->ipv6.sock);
	p->ipv6.sock = WORLD_NO_SOCK;
}
