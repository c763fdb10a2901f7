/* SPDX-License-Identifier: ISC */
#include "daemon/relaying.h"

#include <string.h>

#include "base/err.h"
#include "config/config.h"
#include "log/log.h"
#include "node/node_relay.h"

void
relaying_apply(struct node *n, const struct config *c)
{
	struct node_relaying r = {.on = c->relay != CONFIG_RELAY_OFF};
	int err;

	if (c->relay == CONFIG_RELAY_FRIENDS) {
		r.allow = (const uint8_t(*)[KEY_LEN])c->relay_allow;
		r.allow_len = c->relay_allow_len;
	}
	err = node_set_relaying(n, &r);
	if (err != 0)
		log_error("this node does not relay: %s", err_text(err));
	else if (c->relay == CONFIG_RELAY_OPEN)
		log_notice("this node relays for all peers; 'relay = off' "
			   "turns this off");
	else if (c->relay == CONFIG_RELAY_FRIENDS)
		log_notice("this node relays for %zu keys; 'relay = off' "
			   "turns this off",
		    r.allow_len);
}

void
relaying_reload(
    struct node *n, const struct config *now, const struct config *next)
{
	size_t len = next->relay_allow_len;

	if (now->relay == next->relay && now->relay_allow_len == len &&
	    (len == 0 || memcmp(now->relay_allow, next->relay_allow,
			     len * sizeof *next->relay_allow) == 0))
		return;
	relaying_apply(n, next);
	if (next->relay == CONFIG_RELAY_OFF)
		log_notice("this node does not relay any more");
}
