/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "punch/punch_context.h"

struct punch *
punch_new(const struct core *core, struct dht *dht, struct router *router)
{
	const struct limits *l = core->limits;
	struct punch *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->core = core;
	p->dht = dht;
	p->router = router;
	p->sockets = (struct socket_table){.core = core, .dht = dht};
	TAILQ_INIT(&p->punchers);
	probe_budget_init(&p->budget, core, dht);
	destination_budget_init(&p->destinations, core);
	punch_pool_init(&p->pool, &p->sockets);
	lifetime_schedule_init(&p->lifetime_schedule, &p->sockets);
	punch_admission_init(&p->admission, core->timers,
	    l->punches_from_random, l->punches_to_random);
	return p;
}

void
punch_free(struct punch *p)
{
	struct puncher *last;

	if (p == NULL)
		return;
	while ((last = TAILQ_FIRST(&p->punchers)) != NULL)
		puncher_free(last, WORLD_NO_SOCK);
	punch_pool_fini(&p->pool);
	lifetime_schedule_fini(&p->lifetime_schedule);
	while (p->sockets.entries != NULL)
		punch_close(p, p->sockets.entries->sock);
	punch_admission_fini(&p->admission);
	probe_budget_fini(&p->budget);
	destination_budget_fini(&p->destinations);
	free(p);
}

void
punch_close(struct punch *p, int sock)
{
	struct socket_entry *e = socket_table_find(&p->sockets, sock);

	if (e == NULL || e->puncher != NULL)
		return;
	if (e->punch_socket == NULL) {
		socket_table_close(&p->sockets, e);
		free(e);
	} else if (!punch_pool_contains(&p->pool, e->punch_socket)) {
		punch_socket_close(e->punch_socket);
	}
}

bool
puncher_has_socket(const struct puncher *p, int sock)
{
	const struct socket_entry *e =
	    socket_table_find(&p->punch->sockets, sock);

	return e != NULL && e->puncher == p;
}

void
puncher_hold_socket(struct puncher *p, int sock)
{
	struct socket_entry *e = socket_table_find(&p->punch->sockets, sock);

	if (e != NULL && e->puncher == p)
		e->held = true;
}

int
punch_recv(struct punch *p, const struct dgram *dg)
{
	struct socket_entry *e =
	    dg->len <= 1 ? socket_table_find(&p->sockets, dg->sock) : NULL;

	if (e == NULL)
		return PUNCH_NOT_MINE;
	if (dg->from.family != ADDR_V4 || !dht_may_send(p->dht, &dg->from))
		return stats_drop(p->core->stats, ERR_PRIVATE);
	p->core->stats->probes_received++;
	if (e->puncher != NULL)
		return puncher_recv_probe(e->puncher, dg);
	if (e->punch_socket != NULL) {
		e->punch_socket->probes++;
		e->punch_socket->prober = dg->from;
	}
	return stats_drop(p->core->stats, ERR_UNMATCHED);
}

bool
punch_may_probe(
    struct punch *p, const struct addr *to, const struct probe_origin *origin)
{
	return punch_may_send(p, to, origin, 1);
}

bool
punch_may_send(struct punch *p, const struct addr *to,
    const struct probe_origin *origin, uint32_t datagrams)
{
	return (dht_is_private(p->dht) ||
		   destination_budget_take(&p->destinations, to, origin)) &&
	       probe_budget_take(&p->budget, to, origin->cause, datagrams);
}

bool
punch_may_guess(
    struct punch *p, const struct addr *to, const struct probe_origin *origin)
{
	struct addr host = *to;

	host.port = 0;
	return (dht_is_private(p->dht) ||
		   destination_budget_take(&p->destinations, &host, origin)) &&
	       probe_budget_take(&p->budget, to, origin->cause, 1);
}

bool
punch_probe(struct punch *p, int sock, const struct addr *to, uint8_t ttl)
{
	struct world *w = p->core->world;
	struct dgram_meta meta = {.sock = sock, .to = *to, .ttl = ttl};
	uint8_t *buf = w->ops->reserve(w, &meta, 1);

	if (buf == NULL)
		return false;
	*buf = 0;
	if (w->ops->commit(w, 1) != 0)
		return false;
	p->core->stats->probes_sent++;
	p->core->stats->tx_datagrams++;
	p->core->stats->tx_bytes++;
	return true;
}

void
punch_keep_ready(struct punch *p, bool on)
{
	punch_pool_set_enabled(&p->pool, on);
	p->lifetime_schedule.listening = on;
	lifetime_schedule_update(&p->lifetime_schedule);
}

void
punch_path_opened(struct punch *p)
{
	p->lifetime_schedule.paths++;
	lifetime_schedule_update(&p->lifetime_schedule);
}

void
punch_path_closed(struct punch *p)
{
	p->lifetime_schedule.paths--;
	lifetime_schedule_update(&p->lifetime_schedule);
}

void
punch_keepalive_changed(struct punch *p)
{
	lifetime_schedule_update(&p->lifetime_schedule);
}

int
punch_measure_lifetime(struct punch *p, struct lifetime_waiter *w)
{
	return lifetime_schedule_join(&p->lifetime_schedule, w);
}

void
punch_stop_measuring(struct punch *p, struct lifetime_waiter *w)
{
	lifetime_schedule_leave(&p->lifetime_schedule, w);
}

void
punch_limits_changed(struct punch *p)
{
	const struct limits *l = p->core->limits;

	punch_admission_set_max(
	    &p->admission, l->punches_from_random, l->punches_to_random);
	punch_pool_resize(&p->pool);
	probe_budget_limits_changed(&p->budget);
	destination_budget_limits_changed(&p->destinations);
}

void
punch_wake(struct punch *p)
{
	punch_pool_renew(&p->pool);
	lifetime_schedule_invalidate(&p->lifetime_schedule);
}

void
punch_refuse(
    struct punch *p, const uint8_t *secret, const struct router_call *call)
{
	static const struct holepunch_payload aborted = {
	    .error = HOLEPUNCH_ABORTED};
	uint8_t box[HOLEPUNCH_BOX_MAX], nonce[HOLEPUNCH_NONCE_LEN];
	struct holepunch_payload c;
	size_t len;

	if (holepunch_payload_open(&c, secret, call->sealed) != 0)
		return;
	p->core->world->ops->random(p->core->world, nonce, sizeof nonce);
	len = holepunch_payload_seal(&aborted, secret, nonce, box);
	router_answer(
	    p->router, &call->ticket, (struct bytes){box, len}, WORLD_NO_SOCK);
}
