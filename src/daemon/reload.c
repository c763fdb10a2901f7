/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "config/options.h"
#include "control/control.h"
#include "daemon/daemon.h"
#include "log/log.h"

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Names what was changed and cannot be while the daemon runs. */
static void
warn_fixed(const struct config *now, const struct config *next)
{
	for (unsigned i = 0; i < CONF_KEYS; i++)
		if (i != CONF_LOG_LEVEL &&
		    !same_text(now->text[i], next->text[i]))
			log_warning(
			    "'%s' has changed, which takes effect after "
			    "a restart",
			    config_name(i));
}

static void
apply(struct daemon *d, struct config *next)
{
	d->config.log_level = next->log_level;
	d->config.limits = next->limits;
	log_set_level(next->log_level);
	node_set_limits(d->node, &next->limits);
	d->persistent.announcements.max = next->limits.announcements;
}

int
daemon_reload(struct daemon *d, char *err)
{
	struct config next;
	int rc;

	notify_send(&d->notify, "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)d->world.world.now_us);
	rc = options_load(d->options, &next, err);
	if (rc == 0) {
		warn_fixed(&d->config, &next);
		apply(d, &next);
		control_reload_groups(d->control);
		config_fini(&next);
		log_notice("the configuration was read again");
	} else {
		log_error("%s; the old configuration stays in force", err);
	}
	notify_send(&d->notify, "READY=1");
	return rc == 0 ? 0 : -1;
}
