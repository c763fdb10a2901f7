/* SPDX-License-Identifier: ISC */
/*
 * netcheck.h - measures the properties of the network in front of the node.
 *
 * Opens two sockets of its own. Their samples show the mapping behaviour
 * (nat_classifier.h). The filtering behaviour, the other axis of RFC 4787, is
 * tested: the second socket requests that nodes reply to the first one
 * (PING_NAT, protocol 01 §7). The first requests go to nodes that the first
 * socket has never sent to; the next ones to nodes after an open probe to
 * another port of their host; the last ones to nodes after an open probe to
 * their exact address: these replies must pass, or the request is not
 * supported. Hairpinning is tested between the outer addresses of the two
 * sockets. At the end the first nodes are pinged again, which shows if our
 * address has changed.
 */
#ifndef PUNCH_NETCHECK_H
#define PUNCH_NETCHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "punch/nat_classifier.h"
#include "punch/punch.h"

struct netcheck;

/* Which datagrams a mapping admits. */
enum nat_filtering {
	FILTERING_UNKNOWN,
	FILTERING_NONE, /* any: "full cone" */
	FILTERING_HOST, /* from hosts that were sent to */
	FILTERING_PORT, /* from addresses and ports that were sent to */
};

enum nat_stability {
	STABILITY_UNKNOWN,
	STABILITY_SAME,    /* nodes pinged again see the same address */
	STABILITY_CHANGED, /* one of them sees another address */
};

struct netcheck_result {
	bool udp; /* a reply was received */
	enum nat_type nat_type;
	enum nat_filtering filtering;
	int step; /* between sequential ports; 0: not sequential */
	bool hairpin_tried, hairpin;
	enum nat_stability stability;
	uint32_t stable_s; /* between the first sample and the last */
	uint32_t samples;
	uint8_t addrs_len;
	struct addr addrs[PUNCH_SAMPLES_MAX]; /* our outer addresses */
	uint16_t inner_port; /* of the socket that has these addresses */
};

/* Called once, from a timer or a completion; the check is already freed. */
struct netcheck_done {
	void (*call)(void *owner, const struct netcheck_result *r);
	void *owner;
};

/* Starts a check, which takes three to six seconds. Returns NULL and sets *err
 * to ERR_SOCKET or ERR_MEMORY. */
struct netcheck *netcheck_start(
    struct punch *p, struct netcheck_done done, int *err);

/* Cancels and frees the check; done is not called. */
void netcheck_cancel(struct netcheck *n);

#endif
