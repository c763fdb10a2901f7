/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "sim/calls.h"
#include "sim/mem.h"
#include "sim/sim.h"

void
call_listen(struct host *h)
{
	struct node_listen l = {.keys = &h->identity};
	uint32_t number;
	int err;

	host_clock(h);
	err = node_listen(h->node, &l, &number);
	if (err != 0)
		sim_broken(h->sim, "host %u does not listen: %s", h->ep.index,
		    err_text(err));
	host_settle(h);
}

int
call_start(struct host *h, const uint8_t *key, call_done *done, void *arg)
{
	struct node_connect spec = {.key = key, .keys = &h->identity};
	struct call *c;
	uint32_t number;
	int err;

	if (h->state != HOST_UP)
		return ERR_CLOSED;
	host_clock(h);
	err = node_connect(h->node, &spec, &number);
	if (err != 0)
		return err;
	c = mem_new(1, sizeof *c);
	*c = (struct call){.next = h->calls,
	    .host = h,
	    .number = number,
	    .started_us = h->sim->now_us,
	    .done = done,
	    .arg = arg};
	h->calls = c;
	host_settle(h);
	return 0;
}

static void
end(struct call *c, int err)
{
	struct call **at = &c->host->calls;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->done(c->host->sim, c, err);
	free(c);
}

bool
calls_news(struct host *h, const struct news *n)
{
	struct call *c = h->calls;

	if (n->kind < NEWS_LISTENING || n->kind > NEWS_CLOSED)
		return false;
	while (c != NULL && c->number != n->op)
		c = c->next;
	if (c == NULL || (n->kind != NEWS_OPEN && n->kind != NEWS_CLOSED))
		return true;
	if (n->kind == NEWS_OPEN)
		node_conn_close(h->node, n->op);
	end(c, n->kind == NEWS_OPEN ? 0 : n->err);
	return true;
}

void
calls_drop(struct host *h)
{
	while (h->calls != NULL)
		end(h->calls, ERR_CLOSED);
}
