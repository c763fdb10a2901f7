/* SPDX-License-Identifier: ISC */
#include <event2/event.h>
#include <stdlib.h>

#include "base/err.h"
#include "log/log.h"
#include "node/node.h"
#include "store/node_cache.h"
#include "store/persistent.h"

enum {
	/* Nodes are stored soon after the start, then less and less often. */
	SAVE_FIRST_S = 5,
	SAVE_MAX_S = 600,
	/* Announcements resumed at once: clients need queries, too. */
	RESUME_STEP = 16,
	RESUME_MS = 500,
};

static void
arm_save(struct persistent_state *p)
{
	struct timeval tv = {.tv_sec = p->save_s};

	evtimer_add(p->save, &tv);
	p->save_s = 2 * p->save_s < SAVE_MAX_S ? 2 * p->save_s : SAVE_MAX_S;
}

static void
on_save(evutil_socket_t fd, short what, void *arg)
{
	struct persistent_state *p = arg;

	(void)fd;
	(void)what;
	node_cache_store(p->state, node_dht(p->node));
	arm_save(p);
}

/* Announces the next few topics. Those for which the node has no query left now
 * follow after a pause. */
static void
resume_some(struct persistent_state *p)
{
	static const struct timeval pause = {.tv_usec = RESUME_MS * 1000};
	uint32_t op;
	int err = 0;

	for (int i = 0; i < RESUME_STEP && p->resumed < p->announcements.len;
	     i++) {
		const struct stored_announcement *a =
		    &p->announcements.list[p->resumed];

		err = node_announce(p->node, a->keys, a->topic, &op);
		if (err == ERR_BUSY)
			break;
		if (err != 0)
			log_error(
			    "a stored topic cannot be announced: %s; it is "
			    "skipped until the next start",
			    err_text(err));
		p->resumed++;
	}
	if (p->resumed < p->announcements.len)
		evtimer_add(p->resume, &pause);
	else if (p->resumed > 0)
		log_info("%u announcements resumed", p->resumed);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct persistent_state *p = arg;

	(void)fd;
	(void)what;
	p->owner.wake(p->owner.owner);
	resume_some(p);
	p->owner.settle(p->owner.owner);
}

int
persistent_init(struct persistent_state *p, struct event_base *base,
    struct keyring *k, uint32_t max, const struct persistent_owner *owner)
{
	*p = (struct persistent_state){.state = k->state,
	    .keyring = k,
	    .owner = *owner,
	    .save_s = SAVE_FIRST_S};
	LIST_INIT(&p->withdrawals);
	stored_announcements_load(&p->announcements, k->state, k, max);
	p->save = evtimer_new(base, on_save, p);
	p->resume = evtimer_new(base, on_resume, p);
	return p->save != NULL && p->resume != NULL ? 0 : ERR_MEMORY;
}

void
persistent_fini(struct persistent_state *p)
{
	struct persistent_withdrawal *w;

	if (p->save != NULL)
		event_free(p->save);
	if (p->resume != NULL)
		event_free(p->resume);
	while ((w = LIST_FIRST(&p->withdrawals)) != NULL) {
		LIST_REMOVE(w, link);
		free(w);
	}
	stored_announcements_fini(&p->announcements);
}

void
persistent_start(struct persistent_state *p, struct node *node)
{
	p->node = node;
	resume_some(p);
	arm_save(p);
}

void
persistent_stop(struct persistent_state *p)
{
	node_cache_store(p->state, node_dht(p->node));
	evtimer_del(p->save);
	evtimer_del(p->resume);
}

int
persistent_announce(struct persistent_state *p,
    const struct stored_announcement *a, uint32_t *op)
{
	struct stored_announcements *all = &p->announcements;
	bool held = stored_announcements_find(all, a->topic, a->keys) != NULL;
	int err = held ? 0 : stored_announcements_hold(all, a);

	if (err != 0)
		return err;
	err = node_announce(p->node, a->keys, a->topic, op);
	if (err == 0 && held)
		keyring_return(p->keyring, a->keys);
	else if (err != 0 && !held)
		stored_announcements_release(all);
	else if (err == 0 && a->saved)
		stored_announcements_save(all, p->state);
	return err;
}

/* Keeps the keys lent until the node has withdrawn the announcement. */
static void
begin_withdrawal(struct persistent_state *p, struct persistent_withdrawal *w,
    uint32_t op, const struct key_pair *keys)
{
	w->op = op;
	w->keys = keys;
	LIST_INSERT_HEAD(&p->withdrawals, w, link);
}

int
persistent_unannounce(struct persistent_state *p, const uint8_t *topic,
    const struct key_pair *keys, uint32_t *op)
{
	struct persistent_withdrawal *w = calloc(1, sizeof *w);
	uint32_t at;
	int err =
	    w == NULL ? ERR_MEMORY : node_unannounce(p->node, keys, topic, op);

	if (err != 0) {
		free(w);
		return err;
	}
	begin_withdrawal(p, w, *op, keys);
	at = stored_announcements_del(&p->announcements, p->state, topic, keys);
	if (at != UINT32_MAX)
		keyring_return(p->keyring, keys);
	if (at < p->resumed)
		p->resumed--;
	return 0;
}

void
persistent_node_event(struct persistent_state *p, const struct node_event *ev)
{
	struct persistent_withdrawal *w;

	if (ev->kind != NODE_EV_DONE)
		return;
	LIST_FOREACH (w, &p->withdrawals, link) {
		if (w->op == ev->op)
			break;
	}
	if (w == NULL)
		return;
	LIST_REMOVE(w, link);
	keyring_return(p->keyring, w->keys);
	free(w);
}
