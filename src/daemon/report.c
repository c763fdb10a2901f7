/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "control/control_state.h"
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
	char address[ADDR_TEXT_MAX], reason[CONTROL_REASON_MAX];

	notify_send(&d->notify, "STATUS=%s (%s), %s, public address %s",
	    control_state_name(s->state),
	    control_state_reason(node_dht(d->node), s, reason),
	    s->ephemeral ? "ephemeral" : "persistent",
	    control_public_address(s, address));
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
report_health(const struct daemon *d, const struct dht_status *s)
{
	char reason[CONTROL_REASON_MAX];

	log_notice("%s: %s%s", control_state_name(s->state),
	    control_state_reason(node_dht(d->node), s, reason),
	    s->state == DHT_OFFLINE ? "; trying again in 5 s" : "");
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
		log_info("joined the network: %u nodes known", s.nodes);
		break;
	case NODE_EV_PERSISTENT:
		log_notice("persistent: the address can be reached; this node "
			   "now stores and forwards for others");
		break;
	case NODE_EV_EPHEMERAL:
		log_notice("ephemeral: %s; this node does not store or forward "
			   "for others",
		    s.blocked ? "the server port receives nothing any more, a "
				"firewall may block it"
			      : "the address cannot be reached for sure");
		break;
	case NODE_EV_ADDRESS:
		log_notice(
		    "public address %s", control_public_address(&s, address));
		break;
	case NODE_EV_HEALTH:
		report_health(d, &s);
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
