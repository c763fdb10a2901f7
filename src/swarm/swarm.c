/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "swarm/swarm_struct.h"

struct swarm *
swarm_new(const struct core *core, const struct swarm_config *config)
{
	struct swarm *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->core = core;
	s->config = *config;
	swarm_topics_init(s);
	swarm_dials_init(s);
	return s;
}

/* ---- flushing ---- */

static void
end_flush(struct swarm *s, bool complete)
{
	struct swarm_flush f = s->flush;

	s->flush = (struct swarm_flush){.done = NULL};
	if (f.done != NULL)
		f.done(f.owner, complete);
}

void
swarm_flush_check(struct swarm *s, uint32_t dials)
{
	struct swarm_flush *f = &s->flush;

	if (f->done == NULL)
		return;
	if (f->refreshing && swarm_topics_refreshing(s))
		return;
	if (f->refreshing) {
		f->refreshing = false;
		f->missing = swarm_queue_len(s) + s->dialing_len;
	} else {
		f->missing -= dials < f->missing ? dials : f->missing;
	}
	if (f->missing == 0)
		end_flush(s, true);
}

void
swarm_flush(
    struct swarm *s, void (*done)(void *owner, bool complete), void *owner)
{
	end_flush(s, false);
	s->flush = (struct swarm_flush){
	    .done = done, .owner = owner, .refreshing = true};
	swarm_flush_check(s, 0);
}

void
swarm_free(struct swarm *s)
{
	if (s == NULL)
		return;
	end_flush(s, false);
	timer_disarm(s->core->timers, &s->slow);
	swarm_peers_fini(s);
	swarm_topics_fini(s);
	free(s);
}

/* ---- the network and suspension ---- */

void
swarm_network_changed(struct swarm *s)
{
	if (s->suspended)
		return;
	for (const struct swarm_peer *p = s->by_conn; p != NULL;
	     p = p->hh_conn.next)
		s->config.ops->probe(s->config.owner, p->conn);
	swarm_topics_refresh(s, true);
}

void
swarm_suspend(struct swarm *s)
{
	if (s->suspended)
		return;
	s->suspended = true;
	swarm_topics_suspend(s);
	swarm_dials_suspend(s);
}

void
swarm_resume(struct swarm *s)
{
	struct swarm_peer *p, *next;

	if (!s->suspended)
		return;
	s->suspended = false;
	swarm_topics_refresh(s, false);
	HASH_ITER (hh, s->peers, p, next) {
		if (!p->resumes)
			continue;
		p->resumes = false;
		p->attempts = 0;
		if (p->link == SWARM_LINK_IDLE && !p->banned)
			swarm_peer_queue(p);
	}
	swarm_pump(s);
}
