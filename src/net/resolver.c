/* SPDX-License-Identifier: ISC */
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "log/log.h"
#include "net/resolver.h"
#include "net/sockaddr.h"

static bool
is_idle(const struct resolver *r)
{
	for (int i = 0; i < RESOLVER_MAX; i++)
		if (r->lookup[i].used)
			return false;
	return true;
}

static void
close_dns(struct resolver *r)
{
	if (r->dns != NULL)
		evdns_base_free(r->dns, 0);
	r->dns = NULL;
}

/* Reports answers in an event of its own: evdns may call on_answer() from
 * inside resolver_lookup_start(). */
static void
on_deliver(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < RESOLVER_MAX; i++) {
		struct resolver_lookup l = r->lookup[i];

		if (!l.used || !l.answered)
			continue;
		r->lookup[i].used = false;
		r->answer(r->owner, l.ticket,
		    l.addr.family == ADDR_NONE ? NULL : &l.addr);
	}
	if (is_idle(r))
		close_dns(r);
}

static void
on_answer(int error, struct evutil_addrinfo *list, void *arg)
{
	struct resolver_lookup *l = arg;
	struct sockaddr_in in;

	for (struct evutil_addrinfo *i = list; i != NULL; i = i->ai_next) {
		if (i->ai_family != AF_INET)
			continue;
		memcpy(&in, i->ai_addr, sizeof in);
		l->addr = addr_from_in(in.sin_addr, 0);
		break;
	}
	if (list != NULL)
		evutil_freeaddrinfo(list);
	l->request = NULL;
	if (error == EVUTIL_EAI_CANCEL)
		return; /* by resolver_fini() */
	l->answered = true;
	event_active(l->resolver->deliver, EV_TIMEOUT, 0);
}

static void
on_dns_log(int warning, const char *text)
{
	(void)warning; /* the caller of the lookup reports its failure */
	log_debug("resolver: %s", text);
}

static int
open_dns(struct resolver *r)
{
	if (r->dns != NULL)
		return 0;
	evdns_set_log_fn(on_dns_log);
	r->dns = evdns_base_new(r->base, 0);
	if (r->dns == NULL)
		return ERR_MEMORY;
	/* Without a usable file, evdns queries 127.0.0.1. */
	if (evdns_base_resolv_conf_parse(
		r->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf") != 0)
		log_debug("/etc/resolv.conf is not usable: names are resolved "
			  "by 127.0.0.1");
	/* A lookup that no name server answers must not delay the next one,
	 * which may find another hosts file or name server. */
	evdns_base_set_option(r->dns, "timeout:", "2");
	evdns_base_set_option(r->dns, "attempts:", "2");
	return 0;
}

int
resolver_init(struct resolver *r, struct event_base *base,
    void (*answer)(void *owner, uint32_t ticket, const struct addr *a),
    void *owner)
{
	*r = (struct resolver){.base = base, .answer = answer, .owner = owner};
	r->deliver = event_new(base, -1, 0, on_deliver, r);
	return r->deliver != NULL ? 0 : ERR_MEMORY;
}

void
resolver_fini(struct resolver *r)
{
	for (int i = 0; i < RESOLVER_MAX; i++)
		if (r->lookup[i].request != NULL)
			evdns_getaddrinfo_cancel(r->lookup[i].request);
	close_dns(r);
	if (r->deliver != NULL)
		event_free(r->deliver);
	r->deliver = NULL;
}

int
resolver_lookup_start(struct resolver *r, const char *name, uint32_t ticket)
{
	struct evutil_addrinfo hints = {
	    .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM};
	struct resolver_lookup *l = r->lookup;

	while (l < r->lookup + RESOLVER_MAX && l->used)
		l++;
	if (l == r->lookup + RESOLVER_MAX)
		return ERR_BUSY;
	if (open_dns(r) != 0)
		return ERR_MEMORY;
	*l = (struct resolver_lookup){
	    .resolver = r, .used = true, .ticket = ticket};
	l->request =
	    evdns_getaddrinfo(r->dns, name, NULL, &hints, on_answer, l);
	return 0;
}
