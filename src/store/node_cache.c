/* SPDX-License-Identifier: ISC */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "dht/dht.h"
#include "log/log.h"
#include "store/node_cache.h"

#define NODE_CACHE_FILE "nodes"

enum { TEXT_MAX = NODE_CACHE_MAX * ADDR_TEXT_MAX };

size_t
node_cache_load(const struct state *s, struct addr out[NODE_CACHE_MAX])
{
	char text[TEXT_MAX + 1], *rest = text, *line;
	size_t n = 0, bad = 0, len;
	int err = state_read(s, NODE_CACHE_FILE, text, TEXT_MAX, &len, NULL);

	if (err != 0) {
		if (err != ERR_NOT_FOUND)
			log_warning("the stored nodes cannot be read: %m; "
				    "this start needs a bootstrap node");
		return 0;
	}
	text[len] = '\0';
	while (n < NODE_CACHE_MAX && (line = strsep(&rest, "\n")) != NULL) {
		if (*line == '\0')
			continue;
		if (addr_parse(&out[n], line, 0) == 0 && addr_usable(&out[n]))
			n++;
		else
			bad++;
	}
	if (bad > 0)
		log_warning(
		    "%zu lines of the stored nodes are not addresses and "
		    "are ignored",
		    bad);
	return n;
}

void
node_cache_store(const struct state *s, const struct dht *d)
{
	char text[TEXT_MAX], addr[ADDR_TEXT_MAX];
	struct dht_node node;
	uint32_t cursor = 0;
	size_t len = 0;

	for (int i = 0; i < NODE_CACHE_MAX && dht_next_node(d, &cursor, &node);
	     i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s\n",
		    addr_format(&node.addr, addr));
	if (len > 0 && s->dir >= 0 &&
	    state_write(s, NODE_CACHE_FILE, text, len) != 0)
		log_error("the nodes of the routing table cannot be stored: "
			  "%m; the next start may need a bootstrap node");
}
