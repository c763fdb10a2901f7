/* SPDX-License-Identifier: ISC */
#include "daemon/relaying.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "config/config.h"
#include "log/log.h"
#include "node/node_relay.h"

enum { WHOM_MAX = 48, VOLUME_MAX = 48 };

static const enum node_relay_mode modes[] = {
    [CONFIG_RELAY_AUTO] = NODE_RELAY_AUTO,
    [CONFIG_RELAY_OFF] = NODE_RELAY_OFF,
    [CONFIG_RELAY_FRIENDS] = NODE_RELAY_FRIENDS,
    [CONFIG_RELAY_OPEN] = NODE_RELAY_OPEN,
};

static void
log_relaying(const struct config *c)
{
	char whom[WHOM_MAX] = "all peers", volume[VOLUME_MAX] = "no limit";

	if (c->relay == CONFIG_RELAY_FRIENDS)
		snprintf(whom, sizeof whom, "%zu keys", c->relay_allow_len);
	if (c->relay_volume > 0)
		snprintf(volume, sizeof volume, "%.3f GB per month",
		    (double)c->relay_volume / 1e9);
	log_notice("this node relays for %s, volume %s; 'relay = off' turns "
		   "this off",
	    whom, volume);
}

void
relaying_apply(struct node *n, const struct config *c)
{
	struct node_relaying r = {
	    .on = config_relays(c), .mode = modes[c->relay]};
	const uint8_t(*keys)[KEY_LEN] =
	    (const uint8_t(*)[KEY_LEN])c->relay_allow;
	int err;

	if (c->relay == CONFIG_RELAY_FRIENDS) {
		r.allow = keys;
		r.allow_len = c->relay_allow_len;
	} else {
		r.friends = keys;
		r.friends_len = c->relay_allow_len;
	}
	err = node_set_relaying(n, &r);
	if (err != 0)
		log_error("this node does not relay: %s", err_text(err));
	else if (r.on)
		log_relaying(c);
}

static bool
is_same(const struct config *a, const struct config *b)
{
	size_t len = a->relay_allow_len;

	return a->relay == b->relay && b->relay_allow_len == len &&
	       (len == 0 || memcmp(a->relay_allow, b->relay_allow,
				len * sizeof *a->relay_allow) == 0);
}

void
relaying_reload(
    struct node *n, const struct config *now, const struct config *next)
{
	if (now->relay_volume != next->relay_volume) {
		node_set_relay_volume(n, next->relay_volume);
		if (is_same(now, next) && config_relays(next))
			log_relaying(next);
	}
	if (is_same(now, next))
		return;
	relaying_apply(n, next);
	if (!config_relays(next))
		log_notice("this node does not relay any more");
}
