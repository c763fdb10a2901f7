/* SPDX-License-Identifier: ISC */
#include "control/control_dial.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "control/control_call.h"
#include "control/control_server.h"
#include "node/node_conn.h"

enum {
	TIMEOUT_MS = 30000,   /* protocol 03 §8.1 */
	SECOND_MIN_MS = 3000, /* of the time, else a second dial is of no use */
};

struct control_dial {
	struct control *control;
	uint8_t key[KEY_LEN], relay_key[KEY_LEN];
	struct addr relays[API_ADDRS_MAX];
	struct node_connect spec;
	uint64_t left_ms; /* after the first dial */
	int err;          /* of the first dial */
	bool second;
	struct event *timer;
	control_dial_again *again;
	void *owner;
};

/* Dials again if the node would name a relay this time. */
static void
dial_again(struct control_dial *d)
{
	struct node *n = d->control->setup.node;
	uint32_t conn = 0;
	int err = d->err;

	d->spec.timeout_ms = (uint32_t)d->left_ms;
	if (node_names_relay(n, d->key))
		err = node_connect(n, &d->spec, &conn);
	d->again(d->owner, err, conn);
}

static void
on_timer(evutil_socket_t fd, short what, void *owner)
{
	struct control_dial *d = owner;
	struct control *c = d->control;

	(void)fd;
	(void)what;
	control_wake(c);
	dial_again(d); /* may free d */
	control_settle(c);
}

struct control_dial *
control_dial_new(struct control_call *k, const struct key_pair *keys,
    control_dial_again *again, void *owner)
{
	const struct api_value *relays = control_arg(k, "relays");
	const struct api_value *relay = control_arg(k, "relay_through");
	struct control_dial *d = calloc(1, sizeof *d);

	if (d == NULL)
		return NULL;
	d->control = k->client->control;
	d->again = again;
	d->owner = owner;
	d->timer = evtimer_new(d->control->setup.base, on_timer, d);
	if (d->timer == NULL) {
		free(d);
		return NULL;
	}
	memcpy(d->key, control_arg(k, "public_key")->key, KEY_LEN);
	d->spec = (struct node_connect){
	    .key = d->key,
	    .keys = keys,
	    .relays = d->relays,
	    .timeout_ms = (uint32_t)control_arg(k, "timeout_ms")->uint,
	};
	if (relay->set) {
		memcpy(d->relay_key, relay->key, KEY_LEN);
		d->spec.relay_through = d->relay_key;
	}
	while (api_value_addr(
	    relays, d->spec.relays_len, &d->relays[d->spec.relays_len]))
		d->spec.relays_len++;
	return d;
}

void
control_dial_free(struct control_dial *d)
{
	if (d == NULL)
		return;
	event_free(d->timer);
	free(d);
}

int
control_dial_start(struct control_dial *d, uint32_t *conn)
{
	return node_connect(d->control->setup.node, &d->spec, conn);
}

/* Returns the time that is left of the timeout, after a delay. */
static uint64_t
time_left_ms(const struct control_dial *d, uint32_t delay_ms)
{
	uint64_t all_ms =
	    d->spec.timeout_ms != 0 ? d->spec.timeout_ms : TIMEOUT_MS;
	struct node_attempt a;
	uint64_t used_ms = delay_ms;

	if (node_attempt(d->control->setup.node, d->key, 0, &a))
		used_ms += a.age_us / 1000;
	return used_ms < all_ms ? all_ms - used_ms : 0;
}

bool
control_dial_failed(struct control_dial *d, int err)
{
	uint32_t delay_ms = node_retry_ms(d->control->setup.node, err);
	struct timeval tv = {delay_ms / 1000, delay_ms % 1000 * 1000};

	d->left_ms = time_left_ms(d, delay_ms);
	if (d->second || d->spec.relay_through != NULL || delay_ms == 0 ||
	    d->left_ms < SECOND_MIN_MS)
		return false;
	d->second = true;
	d->err = err;
	return evtimer_add(d->timer, &tv) == 0;
}
