/* SPDX-License-Identifier: ISC */
#include "daemon/healing.h"

#include <event2/event.h>

#include "base/err.h"
#include "log/log.h"
#include "net/sockets.h"
#include "node/node.h"

enum { SECOND_US = 1000000 };

int
healing_init(struct healing *h, struct event_base *base,
    void (*fire)(int fd, short what, void *arg), void *arg)
{
	*h = (struct healing){.timer = evtimer_new(base, fire, arg)};
	return h->timer != NULL ? 0 : ERR_MEMORY;
}

void
healing_fini(struct healing *h)
{
	if (h->timer != NULL)
		event_free(h->timer);
}

static void
arm(struct healing *h, uint64_t now_us, uint64_t due_us)
{
	uint64_t in_us;
	struct timeval tv;

	if (due_us < h->next_us)
		due_us = h->next_us;
	in_us = due_us - now_us;
	tv = (struct timeval){.tv_sec = (time_t)(in_us / SECOND_US),
	    .tv_usec = (suseconds_t)(in_us % SECOND_US)};
	evtimer_add(h->timer, &tv);
}

void
healing_set_offline(struct healing *h, bool offline, uint64_t now_us)
{
	if (!offline)
		evtimer_del(h->timer);
	else if (!evtimer_pending(h->timer, NULL))
		arm(h, now_us, now_us + HEALING_FIRST_S * (uint64_t)SECOND_US);
}

/* Returns true if the socket was replaced. */
static bool
reopen(struct sockets *s, struct dht *d, int sock, bool same_port)
{
	struct addr bound;

	if (sockets_reopen(s, sock, HEALING_FIRST_S * (uint64_t)SECOND_US,
		same_port, &bound) != 0)
		return false;
	dht_socket_reopened(d, sock, &bound);
	return true;
}

void
healing_run(
    struct healing *h, struct sockets *s, struct node *n, uint64_t now_us)
{
	struct dht *d = node_dht(n);
	bool server = reopen(s, d, dht_server_socket(d), true);
	bool client = reopen(s, d, dht_client_socket(d), false);

	h->next_us = now_us + HEALING_EVERY_S * (uint64_t)SECOND_US;
	arm(h, now_us, h->next_us);
	if (!server && !client)
		return;
	log_notice("offline for long: the node's sockets were opened again; "
		   "the NAT and the paths of all connections are checked "
		   "again");
	node_network_changed(n);
}
