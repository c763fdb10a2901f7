/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "control/control_state.h"

#define BLOCKED                                                                \
	"the server port receives nothing any more; a firewall may block it"

/* "name:port", or "address:port" if that is longer. */
enum { ENTRY_TEXT_MAX = BOOTSTRAP_NAME_MAX + 8 };

static const struct {
	const char *name, *text;
} results[] = {
    [DHT_ENTRY_UNTRIED] = {"untried", "not tried yet"},
    [DHT_ENTRY_ANSWERED] = {"answered", "answered before"},
    [DHT_ENTRY_SILENT] = {"no-answer", "no answer"},
    [DHT_ENTRY_NO_NAME] = {"name-not-found", "name not found"},
    [DHT_ENTRY_NO_RESOLVER] = {"resolver-silent",
	"name not found, as no name server answers"},
    [DHT_ENTRY_SELF] = {"self", "this node"},
};

const char *
control_state_name(enum dht_state state)
{
	static const char *const names[] = {
	    [DHT_STARTING] = "starting",
	    [DHT_ONLINE] = "online",
	    [DHT_DEGRADED] = "degraded",
	    [DHT_OFFLINE] = "offline",
	};

	return names[state];
}

const char *
control_entry_result(enum dht_entry_result result)
{
	return results[result].name;
}

const char *
control_entry_text(const struct dht_entry *e, char *out, size_t out_len)
{
	char addr[ADDR_TEXT_MAX];

	if (e->name[0] != '\0')
		snprintf(out, out_len, "%s:%u", e->name, e->port);
	else
		snprintf(out, out_len, "%s", addr_format(&e->addr, addr));
	return out;
}

/* Appends what was found out about the entries, as many as there is space for.
 */
static void
append_entries(const struct dht *d, char *out, size_t cap)
{
	size_t len = strlen(out);
	struct dht_entry e;

	for (size_t i = 0; dht_entry(d, i, &e); i++) {
		char name[ENTRY_TEXT_MAX], text[ENTRY_TEXT_MAX + 48];
		/* The name shows what to look at; the port identifies an
		 * address. */
		int n = snprintf(text, sizeof text, "%s%s: %s",
		    i == 0 ? "bootstrap " : "; ",
		    e.name[0] != '\0'
			? e.name
			: control_entry_text(&e, name, sizeof name),
		    results[e.result].text);

		if (n < 0 || len + (size_t)n + sizeof "; ..." > cap) {
			memcpy(out + len, "; ...", sizeof "; ...");
			return;
		}
		memcpy(out + len, text, (size_t)n + 1);
		len += (size_t)n;
	}
}

const char *
control_state_reason(const struct dht *d, const struct dht_status *st,
    char out[CONTROL_REASON_MAX])
{
	out[0] = '\0';
	if (st->state == DHT_OFFLINE)
		append_entries(d, out, CONTROL_REASON_MAX);
	else if (st->state == DHT_DEGRADED && st->blocked)
		snprintf(out, CONTROL_REASON_MAX, "%s", BLOCKED);
	else if (st->state == DHT_STARTING)
		snprintf(out, CONTROL_REASON_MAX, "joining the network");
	else if (st->state == DHT_DEGRADED)
		snprintf(out, CONTROL_REASON_MAX, "%u of %u nodes answer",
		    (unsigned)st->answered, (unsigned)st->asked);
	else if (st->blocked)
		snprintf(out, CONTROL_REASON_MAX, "%u node%s known; %s",
		    (unsigned)st->nodes, st->nodes == 1 ? "" : "s", BLOCKED);
	else if (st->alone)
		snprintf(out, CONTROL_REASON_MAX, "alone");
	else
		snprintf(out, CONTROL_REASON_MAX, "%u node%s known",
		    (unsigned)st->nodes, st->nodes == 1 ? "" : "s");
	return out;
}

const char *
control_public_address(const struct dht_status *st, char out[ADDR_TEXT_MAX])
{
	struct addr a = st->public_address;

	if (a.family == ADDR_NONE)
		return "not known";
	/* While firewalled the port is that of the client socket, which no
	 * other node can reach. */
	if (!st->firewalled && a.port != 0)
		return addr_format(&a, out);
	return addr_format_host(&a, out);
}
