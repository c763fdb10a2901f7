/* SPDX-License-Identifier: ISC */
#include "control/control_call.h"
#include "control/control_relay.h"
#include "control/control_server.h"
#include "node/node_relay.h"

static const char *
mode_name(const struct node_relay_status *st)
{
	static const char *const names[] = {
	    [NODE_RELAY_OFF] = "off",
	    [NODE_RELAY_FRIENDS] = "friends",
	    [NODE_RELAY_OPEN] = "open",
	    [NODE_RELAY_AUTO] = "auto",
	};

	return names[st->mode];
}

void
control_relay_volume(struct api_writer *w, const struct node_relay_status *st)
{
	if (st->volume.month > 0)
		api_write_uint(w, "relay_volume", st->volume.month);
	else
		api_write_null(w, "relay_volume");
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
	control_relay_volume(w, &st);
	api_write_uint(w, "volume_left", st.volume.left);
	api_write_uint(w, "volume_full", st.volume.holds);
	api_write_uint(w, "volume_refill", st.volume.refill);
	api_write_uint(w, "sessions", st.sessions);
	api_write_uint(w, "waiting", st.waiting);
	api_write_uint(w, "pairings", st.pairings);
	api_write_uint(w, "packets", st.packets);
	api_write_uint(w, "bytes", st.bytes);
	api_write_uint(w, "used", st.used_conns);
	return 0;
}
