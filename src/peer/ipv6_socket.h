/* SPDX-License-Identifier: ISC */
/*
 * ipv6_socket.h - the node's one socket for streams over IPv6.
 *
 * It is open while the machine has a global IPv6 address. The DHT itself uses
 * IPv4 only. Uses: base, dht, udx.
 */
#ifndef PEER_IPV6_SOCKET_H
#define PEER_IPV6_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

struct peers;

struct ipv6_socket {
	int sock; /* WORLD_NO_SOCK: not open */
	uint16_t port;
};

/*
 * Opens the socket at the port of the server socket, or at any port if that
 * one is taken. Does nothing without a local IPv6 address or a server socket.
 * Returns true if the socket was open already.
 */
bool ipv6_socket_open(struct peers *p);

void ipv6_socket_close(struct peers *p);

#endif
