/* SPDX-License-Identifier: ISC */
/*
 * netcheck.h - what kind of network this is, measured anew.
 *
 * Opens two sockets of its own. How ports are mapped is said by samples
 * (gauge.h). Who may answer through a mapping, the other axis of RFC 4787, is
 * tried out: nodes that the first socket has never sent to are asked from the
 * second to answer to the first (PING_NAT, protocol 01 §7); then nodes at whose
 * host, but not whose port, the first has knocked; then those that it has
 * knocked at, which must get in, or the question was not understood.
 * Hairpinning is tried between the outer addresses of the two. At the end who
 * was asked first is asked again: does he see us where he did?
 */
#ifndef PUNCH_NETCHECK_H
#define PUNCH_NETCHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "punch/gauge.h"
#include "punch/punch.h"

struct netcheck;

enum filter {
	FILTER_UNKNOWN,
	FILTER_NONE, /* anybody, once a mapping is there: "full cone" */
	FILTER_HOST, /* whoever runs on a host that was sent to */
	FILTER_PORT, /* only the address and port that was sent to */
};

enum stability {
	STABILITY_UNKNOWN,
	STABILITY_SAME,    /* whoever was asked again sees us where he did */
	STABILITY_CHANGED, /* somebody does not */
};

struct netcheck_result {
	bool udp; /* somebody has answered */
	enum verdict verdict;
	enum filter filter;
	int step; /* ports count up by so much; 0: they do not */
	bool hairpin_tried, hairpin;
	enum stability stability;
	uint32_t stable_s; /* between the first look and the last */
	uint32_t samples;
	uint8_t addrs_len;
	struct addr addrs[GAUGE_SAMPLES_MAX]; /* ours, as others see them */
	uint16_t inner_port; /* of the socket that was seen there */
};

/* Called once, from a timer or a completion; the check is gone then. */
struct netcheck_done {
	void (*call)(void *owner, const struct netcheck_result *r);
	void *owner;
};

/* Takes three to six seconds. NULL and *err: ERR_SOCKET, ERR_MEMORY. */
struct netcheck *netcheck_start(
    struct punch *p, struct netcheck_done done, int *err);

/* Ends it; done is not called. */
void netcheck_cancel(struct netcheck *n);

#endif
