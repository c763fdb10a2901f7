/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "log/log.h"
#include "net/rx_batch.h"
#include "net/rx_coalesce.h"
#include "net/sockaddr.h"
#include "net/sockets.h"
#include "net/tx_batch.h"
#include "net/tx_queue.h"

enum {
	/* Reads of one wake-up: timers and control clients want a turn, too. */
	ROUNDS_MAX = 4,
	RECEIVE_BUFFER = 1 << 20, /* protocol 01 §1, as the next */
	SEND_BUFFER = 212992,
	/* When the kernel had no memory: nothing tells when it has some. */
	STARVED_US = 2000,
};

struct udp_socket {
	struct sockets *all;
	struct event *readable, *writable, *pause, *rested;
	struct tx_queue out;
	struct rx_coalesce rest;
	int fd;
	bool open;       /* else the rest has never been written, or is stale */
	uint32_t serial; /* of its opening, as the handle may be used again */
	bool any_host;   /* bound to all addresses */
	bool wants_local;
	uint16_t family, port;
};

struct sockets {
	struct event_base *base;
	struct sockets_owner owner;
	struct udp_socket sock[SOCKETS_MAX];
	uint32_t serial;
	bool several_v4, several_v6;
	struct tx_queue_counts counts;
	struct tx_batch out;
	struct rx_batch in;
};

struct sockets *
sockets_new(struct event_base *base, const struct sockets_owner *owner)
{
	struct sockets *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->base = base;
	s->owner = *owner;
	tx_batch_init(&s->out);
	rx_batch_init(&s->in);
	return s;
}

void
sockets_free(struct sockets *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < SOCKETS_MAX; i++)
		sockets_close(s, i);
	free(s);
}

/* ---- in ---- */

/* What one wake-up has read. */
struct catch
{
	unsigned datagrams;
	size_t bytes;
};

/* One system call. True if there may be more to read. */
static bool
read_round(struct sockets *s, struct udp_socket *u, struct catch *c)
{
	struct dgram dg = {.sock = (int)(u - s->sock)};
	bool more = rx_batch_read(&s->in, u->fd);
	uint32_t serial = u->serial;

	while (rx_batch_next(&s->in, u->port, &dg)) {
		c->datagrams++;
		c->bytes += dg.len;
		s->owner.recv(s->owner.owner, &dg);
		/* The owner may close the socket, and open another in its
		 * place; the rest was not meant for that one. */
		if (!u->open || u->serial != serial)
			return false;
	}
	return more;
}

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Watches the socket, or lets it rest. */
static void
read_next(struct udp_socket *u, bool rests)
{
	struct timeval tv = {.tv_usec = RX_COALESCE_US};

	if (rests) {
		event_del(u->readable);
		event_add(u->rested, &tv);
	} else if (!event_pending(u->readable, EV_READ, NULL)) {
		event_add(u->readable, NULL);
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct udp_socket *u = arg;
	struct sockets *s = u->all;
	struct catch c = {0};
	uint32_t serial = u->serial;

	(void)fd;
	(void)what;
	s->owner.wake(s->owner.owner); /* which may close it */
	for (int i = 0; i < ROUNDS_MAX && u->open && u->serial == serial; i++)
		if (!read_round(s, u, &c))
			break;
	s->owner.settle(s->owner.owner);
	if (u->open && u->serial == serial)
		read_next(u, rx_coalesce_after(
				 &u->rest, now_us(), c.datagrams, c.bytes));
}

/* ---- what the kernel did not take at once ---- */

/* Tries again when the kernel may take what is kept. */
static void
out_later(struct udp_socket *u)
{
	struct timeval pause = {.tv_usec = STARVED_US};

	if (u->out.wait == TX_QUEUE_FULL)
		event_add(u->writable, NULL);
	else if (u->out.wait == TX_QUEUE_STARVED)
		event_add(u->pause, &pause);
}

static void
send_kept(struct sockets *s, struct udp_socket *u)
{
	tx_queue_again(&u->out);
	if (u->out.wait == TX_QUEUE_READY)
		s->owner.writable(s->owner.owner, (int)(u - s->sock));
	else
		out_later(u);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct udp_socket *u = arg;
	struct sockets *s = u->all;

	(void)fd;
	(void)what;
	s->owner.wake(s->owner.owner); /* which may close it */
	if (u->open && u->out.wait != TX_QUEUE_READY)
		send_kept(s, u);
	s->owner.settle(s->owner.owner);
}

/* ---- open and close ---- */

static void
set_option(int fd, int level, int name, int value, const char *what)
{
	if (setsockopt(fd, level, name, &value, sizeof value) != 0)
		log_debug("a socket does without %s: %m", what);
}

static void
set_wants_local(struct sockets *s, struct udp_socket *u)
{
	bool v6 = u->family == ADDR_V6;
	bool want = u->any_host && (v6 ? s->several_v6 : s->several_v4);

	if (want != u->wants_local && v6)
		set_option(u->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, want,
		    "IPV6_RECVPKTINFO");
	else if (want != u->wants_local)
		set_option(u->fd, IPPROTO_IP, IP_PKTINFO, want, "IP_PKTINFO");
	u->wants_local = want;
}

void
sockets_several_addresses(struct sockets *s, bool v4, bool v6)
{
	s->several_v4 = v4;
	s->several_v6 = v6;
	for (int i = 0; i < SOCKETS_MAX; i++)
		if (s->sock[i].open)
			set_wants_local(s, &s->sock[i]);
}

/* The port is that of IPv6 alone; others may have it of IPv4, as we do. */
static bool
bind_to(int fd, const struct addr *at)
{
	union sockaddr_any to;
	socklen_t len = addr_to_sockaddr(at, &to);
	int on = 1;

	return (at->family != ADDR_V6 ||
		   setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) ==
		       0) &&
	       bind(fd, &to.sa, len) == 0;
}

static int
bind_new(const struct addr *at, struct addr *bound)
{
	int family = at->family == ADDR_V6 ? AF_INET6 : AF_INET;
	union sockaddr_any is;
	socklen_t len = sizeof is;
	char text[ADDR_TEXT_MAX];
	int fd, error;

	fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind_to(fd, at) && getsockname(fd, &is.sa, &len) == 0) {
		*bound = addr_from_sockaddr(&is);
		return fd;
	}
	error = errno;
	if (fd >= 0)
		close(fd);
	if (error == EADDRINUSE)
		return ERR_ADDRESS_USED;
	addr_format(at, text);
	if (family == AF_INET6) /* nothing to worry about */
		log_info("no UDP socket at %s: %s", text, strerror(error));
	else
		log_error("no UDP socket at %s: %s", text, strerror(error));
	return ERR_SOCKET;
}

static void
set_options(int fd)
{
	/* The kernel gives as much of this as it may. */
	set_option(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER, "SO_RCVBUF");
	set_option(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER, "SO_SNDBUF");
	set_option(fd, SOL_UDP, UDP_GRO, 1, "UDP_GRO");
}

/* Others want descriptors too, and cannot do without. */
static bool
may_keep(int fd)
{
	struct rlimit max;

	return getrlimit(RLIMIT_NOFILE, &max) != 0 ||
	       max.rlim_cur == RLIM_INFINITY ||
	       (rlim_t)fd + SOCKETS_SPARE + 1 < max.rlim_cur;
}

static struct udp_socket *
free_slot(struct sockets *s)
{
	for (int i = 0; i < SOCKETS_MAX; i++)
		if (!s->sock[i].open)
			return &s->sock[i];
	return NULL;
}

static bool
make_events(struct sockets *s, struct udp_socket *u)
{
	u->readable =
	    event_new(s->base, u->fd, EV_READ | EV_PERSIST, on_readable, u);
	u->writable = event_new(s->base, u->fd, EV_WRITE, on_writable, u);
	u->pause = evtimer_new(s->base, on_writable, u);
	u->rested = evtimer_new(s->base, on_readable, u);
	return u->readable != NULL && u->writable != NULL && u->pause != NULL &&
	       u->rested != NULL && event_add(u->readable, NULL) == 0;
}

static void
drop_socket(struct udp_socket *u)
{
	struct event *events[] = {
	    u->readable, u->writable, u->pause, u->rested};

	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (events[i] != NULL)
			event_free(events[i]);
	tx_queue_fini(&u->out);
	close(u->fd);
	u->open = false;
}

int
sockets_open(struct sockets *s, const struct addr *at, struct addr *bound)
{
	struct udp_socket *u = free_slot(s);
	struct addr is;
	int fd;

	if (u == NULL)
		return ERR_SOCKET;
	fd = bind_new(at, &is);
	if (fd < 0)
		return fd;
	if (!may_keep(fd)) {
		close(fd);
		return ERR_SOCKET;
	}
	u->all = s;
	u->fd = fd;
	u->open = true;
	tx_queue_init(&u->out, fd, is.family, &s->counts);
	if (!make_events(s, u)) {
		drop_socket(u);
		return ERR_SOCKET;
	}
	set_options(fd);
	*bound = is;
	u->serial = ++s->serial;
	u->rest = (struct rx_coalesce){0};
	u->family = is.family;
	u->port = is.port;
	u->any_host = addr_scope(&is) == ADDR_UNUSABLE;
	u->wants_local = false;
	set_wants_local(s, u);
	return (int)(u - s->sock);
}

void
sockets_close(struct sockets *s, int sock)
{
	struct udp_socket *u = &s->sock[sock];

	assert(sock >= 0 && sock < SOCKETS_MAX);
	if (!u->open)
		return;
	sockets_flush(s); /* what was committed counts as sent */
	drop_socket(u);
}

/* ---- out ---- */

static bool
may_send(const struct sockets *s, int sock)
{
	return s->sock[sock].open && s->sock[sock].out.wait == TX_QUEUE_READY;
}

uint8_t *
sockets_reserve(struct sockets *s, const struct dgram_meta *meta, size_t cap)
{
	uint8_t *room;

	assert(meta->sock >= 0 && meta->sock < SOCKETS_MAX);
	if (!may_send(s, meta->sock) ||
	    meta->to.family != s->sock[meta->sock].family ||
	    !tx_batch_takes(meta, cap))
		return NULL;
	room = tx_batch_reserve(&s->out, meta, cap);
	if (room != NULL)
		return room;
	sockets_flush(s);
	return may_send(s, meta->sock) ? tx_batch_reserve(&s->out, meta, cap)
				       : NULL;
}

int
sockets_commit(struct sockets *s, size_t len)
{
	int sock = s->out.sock[s->out.len];
	int err = tx_batch_commit(&s->out, len);

	if (err == 0)
		rx_coalesce_sent(&s->sock[sock].rest, len);
	return err;
}

void
sockets_flush(struct sockets *s)
{
	struct tx_batch *b = &s->out;
	unsigned at = 0, end;

	while (at < b->len) {
		struct udp_socket *u = &s->sock[b->sock[at]];

		for (end = at + 1; end < b->len && b->sock[end] == b->sock[at];)
			end++;
		tx_queue_send(&u->out, b, at, end);
		out_later(u);
		at = end;
	}
	tx_batch_clear(b);
}

const struct tx_queue_counts *
sockets_counts(const struct sockets *s)
{
	return &s->counts;
}
