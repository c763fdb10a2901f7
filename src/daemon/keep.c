/* SPDX-License-Identifier: ISC */
#include <event2/event.h>

#include "base/err.h"
#include "daemon/daemon.h"
#include "daemon/keep.h"
#include "daemon/log.h"
#include "daemon/nodes.h"

enum {
	/* The known nodes: soon after the start, ever more seldom then. */
	SAVE_FIRST_S = 5,
	SAVE_MAX_S = 600,
	/* Announcements taken up at once: clients want queries, too. */
	RESUME_STEP = 16,
	RESUME_MS = 500,
};

static void
save_later(struct daemon *d)
{
	struct keep *k = &d->keep;
	struct timeval tv = {.tv_sec = k->save_s};

	evtimer_add(k->save, &tv);
	k->save_s = 2 * k->save_s < SAVE_MAX_S ? 2 * k->save_s : SAVE_MAX_S;
}

static void
on_save(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	nodes_store(&d->state, node_dht(d->node));
	save_later(d);
}

/* The next few topics; those for which there is no room now come later. */
static void
resume(struct daemon *d)
{
	static const struct timeval pause = {.tv_usec = RESUME_MS * 1000};
	struct keep *k = &d->keep;
	uint32_t op;
	int err = 0;

	for (int i = 0; i < RESUME_STEP && k->resumed < k->announced.len; i++) {
		err =
		    node_announce(d->node, k->announced.list[k->resumed], &op);
		if (err == ERR_BUSY)
			break;
		if (err != 0)
			log_error("a kept announcement is not taken up: %s",
			    err_text(err));
		k->resumed++;
	}
	if (k->resumed < k->announced.len)
		evtimer_add(k->resume, &pause);
	else if (k->resumed > 0)
		log_info("%u announcements taken up", k->resumed);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	daemon_wake(d);
	resume(d);
	daemon_settle(d);
}

int
keep_init(struct daemon *d)
{
	struct keep *k = &d->keep;

	k->save_s = SAVE_FIRST_S;
	announced_load(
	    &k->announced, &d->state, d->config.limits.announcements);
	k->save = evtimer_new(d->base, on_save, d);
	k->resume = evtimer_new(d->base, on_resume, d);
	return k->save != NULL && k->resume != NULL ? 0 : -1;
}

void
keep_fini(struct daemon *d)
{
	if (d->keep.save != NULL)
		event_free(d->keep.save);
	if (d->keep.resume != NULL)
		event_free(d->keep.resume);
	announced_fini(&d->keep.announced);
}

void
keep_start(struct daemon *d)
{
	resume(d);
	save_later(d);
}

void
keep_stop(struct daemon *d)
{
	nodes_store(&d->state, node_dht(d->node));
	evtimer_del(d->keep.save);
	evtimer_del(d->keep.resume);
}

int
daemon_announce(struct daemon *d, const uint8_t *topic, uint32_t *op)
{
	int err = node_announce(d->node, topic, op);

	if (err == 0)
		announced_add(&d->keep.announced, &d->state, topic);
	return err;
}

int
daemon_unannounce(struct daemon *d, const uint8_t *topic, uint32_t *op)
{
	struct keep *k = &d->keep;
	int err = node_unannounce(d->node, topic, op);

	if (err == 0 &&
	    announced_del(&k->announced, &d->state, topic) < k->resumed)
		k->resumed--;
	return err;
}
