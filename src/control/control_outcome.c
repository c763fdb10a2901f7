/* SPDX-License-Identifier: ISC */
#include "control/control_call.h"
#include "control/control_keys.h"
#include "control/control_server.h"

static void
answer_request(
    struct control_operation *o, const struct control_outcome_entry *e)
{
	struct api_writer w;

	api_writer_init(&w, o->method->results);
	api_write_text(&w, "err_name", err_name(e->err));
	api_write_text(&w, "err_text", err_text(e->err));
	api_write_bool(&w, "delivered", e->delivered);
	control_operation_done(o, &w);
}

/* Returns a request that waits for the connection, or NULL. */
static struct control_operation *
find_waiting(const struct control *c, uint32_t conn)
{
	struct control_operation *o;

	TAILQ_FOREACH (o, &c->operations.all, link) {
		if (o->type == &control_outcome && o->op == conn)
			return o;
	}
	return NULL;
}

/* Searches from the start each time, because an answer may close a client and
 * thereby end other requests. */
void
control_outcome_add(struct control *c, const struct control_outcome_entry *e)
{
	struct control_outcomes *all = &c->outcomes;
	struct control_operation *o;

	all->ring[all->len++ % CONTROL_OUTCOMES_MAX] = *e;
	while ((o = find_waiting(c, e->conn)) != NULL)
		answer_request(o, e);
}

void
control_outcome_fail(struct control *c, uint32_t conn, int err)
{
	struct control_operation *o;

	while ((o = find_waiting(c, conn)) != NULL)
		control_operation_fail(o, err, 0);
}

static const struct control_outcome_entry *
find_entry(const struct control_client *cl, uint32_t conn)
{
	const struct control_outcomes *all = &cl->control->outcomes;

	for (uint32_t i = 0; i < CONTROL_OUTCOMES_MAX && i < all->len; i++) {
		const struct control_outcome_entry *e = &all->ring[i];

		if (e->conn == conn && control_may_use(cl, &e->owner))
			return e;
	}
	return NULL;
}

static int
start_outcome(struct control_call *k, struct control_operation *o)
{
	uint32_t conn = (uint32_t)control_arg(k, "conn")->uint;
	const struct control_outcome_entry *e = find_entry(k->client, conn);

	if (e != NULL) {
		answer_request(o, e);
		return 0;
	}
	o->op = conn;
	return control_conn_check(k, conn);
}

static void
cancel_outcome(struct control_operation *o)
{
	o->op = 0;
}

const struct control_operation_type control_outcome = {
    .start = start_outcome, .cancel = cancel_outcome};
