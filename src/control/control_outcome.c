/* SPDX-License-Identifier: ISC */
#include "control/control_call.h"
#include "control/control_keys.h"
#include "control/control_server.h"

void
control_outcome_add(
    struct control_outcomes *o, const struct control_outcome_entry *e)
{
	o->ring[o->len++ % CONTROL_OUTCOMES_MAX] = *e;
}

int
control_outcome(struct control_call *k)
{
	const struct control_outcomes *o = &k->client->control->outcomes;
	uint32_t number = (uint32_t)control_arg(k, "conn")->uint;

	for (uint32_t i = 0; i < CONTROL_OUTCOMES_MAX && i < o->len; i++) {
		const struct control_outcome_entry *e = &o->ring[i];

		if (e->conn != number || !control_may_use(k->client, &e->owner))
			continue;
		api_write_text(&k->result, "err_name", err_name(e->err));
		api_write_text(&k->result, "err_text", err_text(e->err));
		return 0;
	}
	return ERR_UNKNOWN;
}
