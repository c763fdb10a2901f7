/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "node/inside.h"

/* An item holds the news up to the last byte of its value, not the rest. */
static size_t
news_size(const struct news *news)
{
	return offsetof(struct news, value) + news->value_len;
}

/*
 * Not inlined: where GCC knows the allocated size it warns of each access to an
 * item that is shorter than its type.
 */
__attribute__((noinline)) struct news_item *
news_item_new(const struct news *news)
{
	struct news_item *item =
	    malloc(offsetof(struct news_item, news) + news_size(news));

	if (item != NULL)
		memcpy(&item->news, news, news_size(news));
	return item;
}

void
news_push_item(struct node *n, struct news_item *item)
{
	STAILQ_INSERT_TAIL(&n->news, item, link);
	n->news_len++;
}

bool
news_push(struct node *n, const struct news *news)
{
	struct news_item *item = NULL;

	if (n->news_len < n->core.limits->news)
		item = news_item_new(news);
	if (item == NULL) {
		n->stats.news_lost++;
		return false;
	}
	news_push_item(n, item);
	return true;
}

void
news_fini(struct node *n)
{
	struct news_item *item;

	while ((item = STAILQ_FIRST(&n->news)) != NULL) {
		STAILQ_REMOVE_HEAD(&n->news, link);
		free(item);
	}
	n->news_len = 0;
}

/* What the dht tells in bits becomes news of the node itself. */
static void
collect_events(struct node *n)
{
	static const struct {
		enum dht_event event;
		enum news_kind kind;
	} kinds[] = {
	    {DHT_EV_WAKEUP, NEWS_WAKEUP},
	    {DHT_EV_EPHEMERAL, NEWS_EPHEMERAL},
	    {DHT_EV_ADDRESS, NEWS_ADDRESS},
	    {DHT_EV_BOOTSTRAPPED, NEWS_BOOTSTRAPPED},
	    {DHT_EV_PERSISTENT, NEWS_PERSISTENT},
	    {DHT_EV_HEALTH, NEWS_HEALTH},
	};
	unsigned events = dht_events(n->dht);

	/* Whom we announced ourselves to forwards to the other socket: pitfall
	 * T5. And before there was nobody to ask. */
	if (events & (DHT_EV_MOVED | DHT_EV_BOOTSTRAPPED))
		peers_renew(n->peers);
	if (events & DHT_EV_REPACED) {
		peers_repace(n->peers);
		punch_keepalive_changed(n->punch);
	}

	for (size_t i = 0; events != 0 && i < sizeof kinds / sizeof *kinds;
	     i++) {
		struct news news = {.kind = kinds[i].kind};
		struct dht_status st;

		if (!(events & kinds[i].event))
			continue;
		dht_status(n->dht, &st);
		news.node = st.public_address;
		memcpy(news.id, st.id, ID_LEN);
		news_push(n, &news);
	}
}

bool
node_poll(struct node *n, struct news *out)
{
	struct news_item *item;

	collect_events(n);
	item = STAILQ_FIRST(&n->news);
	if (item == NULL)
		return conn_news(n, out);
	STAILQ_REMOVE_HEAD(&n->news, link);
	n->news_len--;
	memcpy(out, &item->news, news_size(&item->news));
	free(item);
	return true;
}
