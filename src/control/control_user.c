/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/control_call.h"
#include "control/control_keys.h"
#include "control/control_server.h"
#include "store/stored_announcements.h"

/* ---- users ---- */

void
control_users_init(struct control_users *u)
{
	*u = (struct control_users){.held = {0}};
	TAILQ_INIT(&u->all);
}

struct keyring_owner
control_user_id(const struct control_peer *peer)
{
	return (struct keyring_owner){
	    .daemon = peer->uid == 0 || peer->uid == geteuid(),
	    .uid = peer->uid};
}

static struct control_user *
find_user(const struct control_users *u, const struct keyring_owner *id)
{
	struct control_user *user;

	TAILQ_FOREACH (user, &u->all, link) {
		if (keyring_owner_same(&user->id, id))
			return user;
	}
	return NULL;
}

struct control_user *
control_user_take(struct control_users *u, const struct keyring_owner *id,
    enum control_held what)
{
	struct control_user *user = find_user(u, id);

	if (user == NULL) {
		user = calloc(1, sizeof *user);
		if (user == NULL)
			return NULL;
		user->id = *id;
		TAILQ_INSERT_TAIL(&u->all, user, link);
	}
	user->held[what]++;
	if (!id->daemon)
		u->held[what]++;
	return user;
}

void
control_user_give(
    struct control_users *u, struct control_user *user, enum control_held what)
{
	uint32_t left = 0;

	if (user == NULL)
		return;
	user->held[what]--;
	if (!user->id.daemon)
		u->held[what]--;
	for (int i = 0; i < CONTROL_HELD_KINDS; i++)
		left += user->held[i];
	if (left > 0)
		return;
	TAILQ_REMOVE(&u->all, user, link);
	free(user);
}

/* ---- shares ---- */

uint32_t
control_share_max(const struct control_share *s)
{
	uint32_t max = s->limit / USER_SHARE;

	return max > 0 ? max : 1;
}

bool
control_share_allows(const struct control_share *s)
{
	return s->mine < control_share_max(s) &&
	       s->users + s->reserve < s->limit;
}

static struct control_share
share_of(const struct control_users *u, const struct keyring_owner *id,
    enum control_held what, uint32_t limit)
{
	const struct control_user *user = find_user(u, id);

	return (struct control_share){
	    .mine = user != NULL ? user->held[what] : 0,
	    .users = u->held[what],
	    .limit = limit,
	    .reserve = limit / USER_SHARE};
}

bool
control_user_may_connect(
    const struct control *c, const struct control_peer *peer)
{
	struct keyring_owner id = control_user_id(peer);
	struct control_share s =
	    share_of(&c->users, &id, CONTROL_HELD_CLIENTS, CLIENTS_MAX);

	if (peer->access == API_ADMIN)
		return c->clients.len < CLIENTS_MAX;
	s.users = c->clients.len;
	s.reserve = CLIENTS_ADMIN_RESERVE;
	return control_share_allows(&s);
}

static int
check_share(struct control_call *k, const struct control_share *s,
    const char *name, int err)
{
	uint32_t max = control_share_max(s);

	if (k->client->peer.access == API_ADMIN || control_share_allows(s))
		return 0;
	api_error_set(&k->error, API_ERR_FAILED,
	    json_pack("{s:s, s:s, s:s, s:I}", "err_name", err_name(err),
		"err_text", err_text(err), "limit", name, "share",
		(json_int_t)max),
	    "%s: %s of the limit \"%s\" of %u is used up: the option --%s of"
	    " the daemon or its configuration raises it",
	    k->rq->method->name,
	    s->mine >= max ? "your share" : "the share of all users", name,
	    (unsigned)s->limit, name);
	return err;
}

int
control_user_check(struct control_call *k, enum control_held what, int err)
{
	const struct control *c = k->client->control;
	const struct limits *l = control_limits_of(c);
	struct keyring_owner id = control_owner(k->client);
	const struct {
		const char *name;
		uint32_t limit;
	} limits[CONTROL_HELD_KINDS] = {
	    [CONTROL_HELD_OPERATIONS] = {"operations", l->operations},
	    [CONTROL_HELD_LISTENERS] = {"listeners", l->listeners},
	    [CONTROL_HELD_CONNS] = {"connections", l->connections},
	    [CONTROL_HELD_TRACES] = {"traces", l->traces},
	    [CONTROL_HELD_SWARMS] = {"swarms", l->swarms},
	    [CONTROL_HELD_SESSIONS] = {"swarm-sessions", l->swarm_sessions},
	};
	struct control_share s =
	    share_of(&c->users, &id, what, limits[what].limit);

	return check_share(k, &s, limits[what].name, err);
}

int
control_user_check_announcement(struct control_call *k)
{
	const struct control *c = k->client->control;
	const struct stored_announcements *all = c->setup.announcements;
	struct keyring_owner id = control_owner(k->client);
	uint32_t limit = control_limits_of(c)->announcements;
	struct control_share s = {
	    .mine = stored_announcements_count(all, &id),
	    .users = stored_announcements_count(all, NULL),
	    .limit = limit,
	    .reserve = limit / USER_SHARE,
	};

	return check_share(k, &s, "announcements", ERR_LIMIT);
}
