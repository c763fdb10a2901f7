/* SPDX-License-Identifier: ISC */
/*
 * control_server.h - the control socket's state, put together from the parts
 * that its modules own.
 */
#ifndef CONTROL_CONTROL_SERVER_H
#define CONTROL_CONTROL_SERVER_H

#include "control/control.h"
#include "control/control_client.h"
#include "control/control_conn.h"
#include "control/control_events.h"
#include "control/control_listener.h"
#include "control/control_operation.h"
#include "control/control_outcome.h"
#include "control/control_peer.h"
#include "control/control_socket.h"
#include "control/control_swarm.h"
#include "control/control_trace.h"
#include "control/control_user.h"
#include "net/hops.h"
#include "node/node.h"
#include "tunnel/node_loop.h"

struct evconnlistener;
struct event;

struct control {
	struct control_setup setup;
	struct node_loop loop; /* of the setup, for the streams */
	uint64_t instance;     /* random number of this run */
	struct control_socket socket;
	struct control_groups groups;
	struct evconnlistener *acceptor;
	struct event *resume; /* enables the acceptor after a failure */
	struct control_users users;
	struct control_client_list clients;
	struct control_operation_list operations;
	struct control_listener_list listeners;
	struct control_sessions sessions;
	struct control_conn_table conns;
	struct control_outcomes outcomes;
	struct control_events events;
	struct control_traces traces;
	struct hops hops; /* of the latest network check */
};

/* Begin and end a callback of the event loop: each one that uses the node calls
 * them first and last. */
static inline void
control_wake(const struct control *c)
{
	c->setup.ops->wake(c->setup.owner);
}

static inline void
control_settle(const struct control *c)
{
	c->setup.ops->settle(c->setup.owner);
}

static inline const struct limits *
control_limits_of(const struct control *c)
{
	return node_limits(c->setup.node);
}

#endif
