/* SPDX-License-Identifier: ISC */
#include "relay/relay_client.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "stream/mux.h"

struct relay_client {
	struct mux *mux;
	uint32_t channel; /* 0: closed */
	enum relay_client_state state;
	struct relay_pair pair; /* as we have sent it */
	uint32_t relay_stream_id;
	bool open; /* the relay has opened the channel, too */
	bool refused;
	struct relay_refusal refusal;
};

/* Sets the state. No other function does. */
static void
client_set_state(struct relay_client *c, enum relay_client_state state)
{
	assert(c->state == RELAY_CLIENT_PAIRING);
	c->state = state;
}

static int
open_channel(struct relay_client *c, const uint8_t *key)
{
	struct mux_name name = {.protocol = {(const uint8_t *)RELAY_PROTOCOL,
				    sizeof RELAY_PROTOCOL - 1},
	    .id = {key, KEY_LEN}};

	return mux_open(c->mux, &name, (struct bytes){0}, &c->channel);
}

static int
send_pair(struct relay_client *c, const struct relay_client_spec *spec)
{
	uint8_t body[RELAY_MESSAGE_MAX];
	size_t len;

	c->pair.initiator = spec->initiator;
	c->pair.stream_id = spec->stream_id;
	memcpy(c->pair.token, spec->token, RELAY_TOKEN_LEN);
	len = relay_pair_encode(&c->pair, body, sizeof body);
	return mux_send(c->mux, c->channel, RELAY_PAIR, body, len);
}

struct relay_client *
relay_client_new(const struct relay_client_spec *spec)
{
	struct relay_client *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->mux = mux_new();
	if (c->mux == NULL || open_channel(c, spec->key) != 0 ||
	    (spec->token != NULL && send_pair(c, spec) != 0)) {
		relay_client_free(c);
		return NULL;
	}
	return c;
}

void
relay_client_free(struct relay_client *c)
{
	if (c == NULL)
		return;
	mux_free(c->mux);
	sodium_memzero(&c->pair, sizeof c->pair);
	free(c);
}

/* ---- reading ---- */

static int
on_pair(struct relay_client *c, struct bytes body)
{
	struct relay_pair m;
	int err = relay_pair_decode(&m, body.p, body.len);

	if (err != 0)
		return err;
	/* Answers to other requests are ignored, as in the reference. */
	if (c->state != RELAY_CLIENT_PAIRING ||
	    m.initiator != c->pair.initiator ||
	    sodium_memcmp(m.token, c->pair.token, RELAY_TOKEN_LEN) != 0)
		return 0;
	c->relay_stream_id = m.stream_id;
	client_set_state(c, RELAY_CLIENT_PAIRED);
	return 0;
}

static int
on_refused(struct relay_client *c, struct bytes body)
{
	int err = relay_refusal_decode(&c->refusal, body.p, body.len);

	c->refused = err == 0;
	return err;
}

static int
on_event(struct relay_client *c, const struct mux_event *ev)
{
	if (ev->kind == MUX_OFFER) {
		mux_reject(c->mux, ev->channel);
	} else if (ev->kind == MUX_OPENED && ev->channel == c->channel) {
		c->open = true;
	} else if (ev->kind == MUX_CLOSED && ev->channel == c->channel) {
		c->channel = 0;
		if (c->state == RELAY_CLIENT_PAIRING)
			client_set_state(c, RELAY_CLIENT_CLOSED);
	} else if (ev->kind == MUX_MESSAGE && ev->type == RELAY_PAIR) {
		return on_pair(c, ev->body);
	} else if (ev->kind == MUX_MESSAGE && ev->type == RELAY_REFUSED) {
		return on_refused(c, ev->body);
	}
	return 0;
}

int
relay_client_read(struct relay_client *c, struct bytes message)
{
	struct mux_event ev;
	int result, err;

	while ((result = mux_read(c->mux, message, &ev)) == MUX_EVENT)
		if ((err = on_event(c, &ev)) != 0)
			return err;
	/* Every offer is rejected at once, so that an honest relay never fills
	 * the queue. */
	return result == MUX_WAIT ? ERR_LIMIT : result;
}

/* ---- sending ---- */

struct bytes
relay_client_peek(const struct relay_client *c)
{
	return mux_peek(c->mux);
}

void
relay_client_consume(struct relay_client *c)
{
	mux_consume(c->mux);
}

/* ---- status ---- */

enum relay_client_state
relay_client_state(const struct relay_client *c)
{
	return c->state;
}

bool
relay_client_is_open(const struct relay_client *c)
{
	return c->open;
}

const struct relay_refusal *
relay_client_refusal(const struct relay_client *c)
{
	return c->refused ? &c->refusal : NULL;
}

uint32_t
relay_client_stream_id(const struct relay_client *c)
{
	return c->relay_stream_id;
}
