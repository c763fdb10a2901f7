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
notify_status(const struct daemon *d, const struct dht_status *s)
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
	notify_status(d, &s);
}

static void
report_health(const struct dht_status *s)
{
	if (!s->online)
		log_warning("offline: no node replies; trying again until one "
			    "does");
	else if (s->degraded)
		log_warning("degraded: many requests get no reply; lookups and "
			    "connections may fail");
	else
		log_notice("online: nodes reply again");
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
		log_notice("joined the network: %u nodes known", s.nodes);
		break;
	case NODE_EV_PERSISTENT:
		log_notice("persistent: the address can be reached; this node "
			   "now stores and forwards for others");
		break;
	case NODE_EV_EPHEMERAL:
		log_notice("ephemeral: the address cannot be reached for sure; "
			   "this node does not store or forward for others");
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
		    "the machine has slept; addresses, NAT and connections "
		    "are checked again");
		break;
	case NODE_EV_ANNOUNCED:
		if (ev->err != 0)
			log_warning(
			    "an announcement was not renewed: %s; the next "
			    "attempt is at the announce interval",
			    err_text(ev->err));
		else
			log_info("an announcement was renewed at %u nodes",
			    ev->stored);
		break;
	default:
		return;
	}
	notify_status(d, &s);
}
