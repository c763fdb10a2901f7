/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "daemon/daemon.h"
#include "daemon/report.h"
#include "log/log.h"

static const char *
role_name(enum dht_role role)
{
	static const char *const names[] = {
	    [DHT_AUTO] = "auto",
	    [DHT_PERSISTENT] = "persistent",
	    [DHT_BOOTSTRAP] = "bootstrap",
	};

	return names[role];
}

static void
tell_manager(const struct daemon *d, const struct dht_status *s)
{
	char address[ADDR_TEXT_MAX];

	notify_send(&d->notify, "STATUS=%s, %s, %u nodes, public address %s",
	    s->ephemeral ? "ephemeral" : "persistent",
	    !s->bootstrapped ? "joining"
	    : !s->online     ? "offline"
	    : s->degraded    ? "degraded"
			     : "online",
	    s->nodes, addr_format(&s->public_address, address));
}

void
report_start(const struct daemon *d)
{
	char server[ADDR_TEXT_MAX];
	struct dht_status s;

	dht_status(node_dht(d->node), &s);
	log_notice("listening at %s, role %s, control socket %s",
	    addr_format(&s.server_address, server), role_name(d->config.role),
	    d->config.control);
	tell_manager(d, &s);
}

static void
report_health(const struct dht_status *s)
{
	if (!s->online)
		log_warning("offline: no node of the network answers");
	else if (s->degraded)
		log_warning("degraded: many requests stay unanswered");
	else
		log_notice("online: nodes answer as they should");
}

void
report_node_event(const struct daemon *d, const struct node_event *ev)
{
	char address[ADDR_TEXT_MAX];
	struct dht_status s;

	if (ev->op != 0)
		return;
	dht_status(node_dht(d->node), &s);
	switch (ev->kind) {
	case NODE_EV_BOOTSTRAPPED:
		log_notice("joined: %u nodes known", s.nodes);
		break;
	case NODE_EV_PERSISTENT:
		log_notice("persistent: others keep this node in their tables");
		break;
	case NODE_EV_EPHEMERAL:
		log_notice("ephemeral: this node serves nobody for now");
		break;
	case NODE_EV_ADDRESS:
		log_notice(
		    "public address %s", addr_format(&ev->node, address));
		break;
	case NODE_EV_HEALTH:
		report_health(&s);
		break;
	case NODE_EV_WAKEUP:
		log_notice(
		    "the machine has slept; looking at the network anew");
		break;
	case NODE_EV_ANNOUNCED:
		if (ev->err != 0)
			log_warning("an announcement could not be renewed: %s",
			    err_text(ev->err));
		else
			log_info("an announcement was renewed at %u nodes",
			    ev->stored);
		break;
	default:
		return;
	}
	tell_manager(d, &s);
}
