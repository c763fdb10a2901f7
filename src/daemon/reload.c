/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "config/options.h"
#include "control/control.h"
#include "daemon/crypto_speed.h"
#include "daemon/daemon.h"
#include "daemon/relaying.h"
#include "log/log.h"

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Warns of changed keys that only a restart applies. */
static void
warn_fixed_keys(const struct config *now, const struct config *next)
{
	for (unsigned i = 0; i < CONF_KEYS; i++)
		if (i != CONF_LOG_LEVEL && i != CONF_RELAY &&
		    i != CONF_RELAY_ALLOW && i != CONF_RELAY_VOLUME &&
		    !same_text(now->text[i], next->text[i]))
			log_warning("'%s' has changed: this takes effect after "
				    "a restart",
			    config_name(i));
}

/* Moves the keys of relaying, which are compared at the next reload. */
static void
take_relaying(struct config *to, struct config *from)
{
	uint8_t(*old)[TEXT_KEY_LEN] = to->relay_allow;

	to->relay = from->relay;
	to->relay_allow = from->relay_allow;
	to->relay_volume = from->relay_volume;
	to->relay_allow_len = from->relay_allow_len;
	from->relay_allow = old;
}

static void
apply_config(struct daemon *d, struct config *next)
{
	/* A role that has changed takes effect after a restart. */
	next->role = d->config.role;
	relaying_reload(d->node, &d->config, next);
	take_relaying(&d->config, next);
	d->config.log_level = next->log_level;
	d->config.limits = next->limits;
	log_set_level(next->log_level);
	node_set_limits(d->node, &next->limits);
	d->persistent.announcements.max = next->limits.announcements;
}

int
daemon_reload(struct daemon *d, struct fault *f)
{
	enum options_place place;
	struct config next;
	int err;

	notify_send(&d->notify, "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)d->world.world.now_us);
	err = options_load(d->options, &next, &place, f);
	if (err == 0) {
		crypto_speed_set(&next.limits);
		warn_fixed_keys(&d->config, &next);
		apply_config(d, &next);
		control_reload_groups(d->control);
		config_fini(&next);
		log_notice("the configuration was reloaded");
	} else {
		log_error("%s; the old configuration stays in force", f->text);
	}
	notify_send(&d->notify, "READY=1");
	return err;
}
