/* SPDX-License-Identifier: ISC */
#include "control/control_call.h"
#include "control/control_server.h"
#include "node/node_relay.h"

static const char *
mode_name(const struct node_relay_status *st)
{
	if (!st->on)
		return "off";
	return st->allow_len > 0 ? "friends" : "open";
}

int
control_relay(struct control_call *k)
{
	struct api_writer *w = &k->result;
	struct node_relay_status st;

	node_relay_status(k->client->control->setup.node, &st);
	api_write_bool(w, "relaying", st.on);
	api_write_text(w, "mode", mode_name(&st));
	api_write_bytes32(w, "relay_key", st.on ? st.key : NULL);
	api_write_uint(w, "sessions", st.sessions);
	api_write_uint(w, "waiting", st.waiting);
	api_write_uint(w, "pairings", st.pairings);
	api_write_uint(w, "packets", st.packets);
	api_write_uint(w, "bytes", st.bytes);
	api_write_uint(w, "used", st.used_conns);
	return 0;
}
