/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
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
	/* Reads per wake-up, so that timers and control clients do not wait. */
	READS_MAX = 4,
	RECEIVE_BUFFER = 1 << 20, /* protocol 01 §1, as the next */
	SEND_BUFFER = 212992,
	/* Retry after the kernel had no memory, which no event follows. */
	STARVED_US = 2000,
};

/* One socket. Fields other than `open` are valid while it is open. */
struct udp_socket {
	struct sockets *sockets;
	struct event *readable, *writable, *retry, *delayed;
	struct tx_queue out;
	struct rx_coalesce coalesce;
	int fd;
	bool open;
	uint32_t serial;   /* differs each time the handle is opened */
	struct addr at;    /* as asked for */
	uint64_t heard_us; /* when it last received, or was opened */
	bool any_host;     /* bound to all addresses */
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

/* ---- receiving ---- */

/* What one wake-up has read. */
struct read_totals {
	unsigned datagrams;
	size_t bytes;
};

/* Reads one batch and passes it to the owner. Returns true if there may be more
 * to read. */
static bool
read_batch(struct sockets *s, struct udp_socket *u, struct read_totals *c)
{
	struct dgram dg = {.sock = (int)(u - s->sock)};
	bool more = rx_batch_read(&s->in, u->fd);
	uint32_t serial = u->serial;

	while (rx_batch_next(&s->in, u->port, &dg)) {
		c->datagrams++;
		c->bytes += dg.len;
		s->owner.recv(s->owner.owner, &dg);
		/* The owner may close the socket and open another with the
		 * same handle, to which the rest was not sent. */
		if (!u->open || u->serial != serial)
			return false;
	}
	return more;
}

static uint64_t
read_clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Watches the socket, or delays its next read. */
static void
schedule_read(struct udp_socket *u, bool delay)
{
	struct timeval tv = {.tv_usec = RX_COALESCE_US};

	if (delay) {
		event_del(u->readable);
		event_add(u->delayed, &tv);
	} else if (!event_pending(u->readable, EV_READ, NULL)) {
		event_add(u->readable, NULL);
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct udp_socket *u = arg;
	struct sockets *s = u->sockets;
	struct read_totals c = {0};
	uint32_t serial = u->serial;
	uint64_t now_us;

	(void)fd;
	(void)what;
	s->owner.wake(s->owner.owner); /* may close u */
	for (int i = 0; i < READS_MAX && u->open && u->serial == serial; i++)
		if (!read_batch(s, u, &c))
			break;
	s->owner.settle(s->owner.owner);
	if (!u->open || u->serial != serial)
		return;
	now_us = read_clock_us();
	if (c.datagrams > 0)
		u->heard_us = now_us;
	schedule_read(
	    u, rx_coalesce_after(&u->coalesce, now_us, c.datagrams, c.bytes));
}

/* ---- datagrams that wait for the kernel ---- */

/* Arms the event after which the kernel may accept the queued datagrams. */
static void
schedule_retry(struct udp_socket *u)
{
	struct timeval delay = {.tv_usec = STARVED_US};

	if (u->out.wait == TX_QUEUE_FULL)
		event_add(u->writable, NULL);
	else if (u->out.wait == TX_QUEUE_STARVED)
		event_add(u->retry, &delay);
}

static void
send_queued(struct sockets *s, struct udp_socket *u)
{
	tx_queue_retry(&u->out);
	if (u->out.wait == TX_QUEUE_READY)
		s->owner.writable(s->owner.owner, (int)(u - s->sock));
	else
		schedule_retry(u);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct udp_socket *u = arg;
	struct sockets *s = u->sockets;

	(void)fd;
	(void)what;
	s->owner.wake(s->owner.owner); /* may close u */
	if (u->open && u->out.wait != TX_QUEUE_READY)
		send_queued(s, u);
	s->owner.settle(s->owner.owner);
}

/* ---- open and close ---- */

static void
set_option(int fd, int level, int name, int value, const char *what)
{
	if (setsockopt(fd, level, name, &value, sizeof value) != 0)
		log_debug("socket option %s is not set: %m", what);
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

/* Binds the socket. With IPV6_V6ONLY, the same port of IPv4 stays free for
 * another socket. */
static bool
bind_socket(int fd, const struct addr *at)
{
	union sockaddr_any to;
	socklen_t len = addr_to_sockaddr(at, &to);
	int on = 1;

	return (at->family != ADDR_V6 ||
		   setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) ==
		       0) &&
	       bind(fd, &to.sa, len) == 0;
}

/* Returns the descriptor of a new socket, or a negative code of err.h. */
static int
open_bound(const struct addr *at, struct addr *bound)
{
	int family = at->family == ADDR_V6 ? AF_INET6 : AF_INET;
	union sockaddr_any is;
	socklen_t len = sizeof is;
	char text[ADDR_TEXT_MAX];
	int fd, error;

	fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind_socket(fd, at) &&
	    getsockname(fd, &is.sa, &len) == 0) {
		*bound = addr_from_sockaddr(&is);
		return fd;
	}
	error = errno;
	if (fd >= 0)
		close(fd);
	if (error == EADDRINUSE)
		return ERR_ADDRESS_USED;
	addr_format(at, text);
	if (family == AF_INET6) /* the node works without IPv6 */
		log_info("UDP socket at %s: %s; IPv6 is not used", text,
		    strerror(error));
	else
		log_error("UDP socket at %s: %s", text, strerror(error));
	return ERR_SOCKET;
}

static void
set_options(int fd)
{
	/* The kernel reduces the sizes to its limits. */
	set_option(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER, "SO_RCVBUF");
	set_option(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER, "SO_SNDBUF");
	set_option(fd, SOL_UDP, UDP_GRO, 1, "UDP_GRO");
}

/* Returns true if enough descriptors are left for control clients, files and
 * logs. */
static bool
leaves_spare(int fd)
{
	struct rlimit max;

	return getrlimit(RLIMIT_NOFILE, &max) != 0 ||
	       max.rlim_cur == RLIM_INFINITY ||
	       (rlim_t)fd + SOCKETS_SPARE_FDS + 1 < max.rlim_cur;
}

static struct udp_socket *
find_free_slot(struct sockets *s)
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
	u->retry = evtimer_new(s->base, on_writable, u);
	u->delayed = evtimer_new(s->base, on_readable, u);
	return u->readable != NULL && u->writable != NULL && u->retry != NULL &&
	       u->delayed != NULL && event_add(u->readable, NULL) == 0;
}

static void
free_socket(struct udp_socket *u)
{
	struct event *events[] = {
	    u->readable, u->writable, u->retry, u->delayed};

	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (events[i] != NULL)
			event_free(events[i]);
	tx_queue_fini(&u->out);
	close(u->fd);
	u->open = false;
}

/* Configures a new descriptor. */
static void
set_bound(struct sockets *s, struct udp_socket *u, const struct addr *is)
{
	set_options(u->fd);
	u->serial = ++s->serial;
	u->heard_us = read_clock_us();
	u->family = is->family;
	u->port = is->port;
	u->any_host = addr_scope(is) == ADDR_UNUSABLE;
	u->wants_local = false;
	set_wants_local(s, u);
}

int
sockets_open(struct sockets *s, const struct addr *at, struct addr *bound)
{
	struct udp_socket *u = find_free_slot(s);
	struct addr is;
	int fd;

	if (u == NULL)
		return ERR_SOCKET;
	fd = open_bound(at, &is);
	if (fd < 0)
		return fd;
	if (!leaves_spare(fd)) {
		close(fd);
		return ERR_SOCKET;
	}
	u->sockets = s;
	u->fd = fd;
	u->open = true;
	tx_queue_init(&u->out, fd, is.family, &s->counts);
	if (!make_events(s, u)) {
		free_socket(u);
		return ERR_SOCKET;
	}
	u->at = *at;
	u->coalesce = (struct rx_coalesce){0};
	set_bound(s, u, &is);
	*bound = is;
	return (int)(u - s->sock);
}

/* Replaces the descriptor by a new socket at another port, or at the same one
 * unless that is taken meanwhile. The handle never lacks a socket. */
static int
replace_socket(struct udp_socket *u, bool same_port, struct addr *bound)
{
	struct addr at = u->at;
	int spare, same = -1;

	at.port = 0;
	spare = open_bound(&at, bound);
	if (spare < 0)
		return spare;
	if (dup3(spare, u->fd, O_CLOEXEC) < 0) {
		close(spare);
		return ERR_SOCKET;
	}
	close(spare);
	at.port = u->port;
	if (same_port)
		same = open_bound(&at, bound);
	if (same >= 0) {
		(void)dup3(same, u->fd, O_CLOEXEC);
		close(same);
	}
	return 0;
}

int
sockets_reopen(struct sockets *s, int sock, uint64_t silent_us, bool same_port,
    struct addr *bound)
{
	struct udp_socket *u = &s->sock[sock];
	int err;

	assert(sock >= 0 && sock < SOCKETS_MAX);
	if (!u->open || read_clock_us() - u->heard_us < silent_us)
		return ERR_BUSY;
	sockets_flush(s);
	event_del(u->delayed);
	event_del(u->readable);
	event_del(u->writable);
	err = replace_socket(u, same_port, bound);
	event_add(u->readable, NULL);
	schedule_retry(u);
	if (err == 0)
		set_bound(s, u, bound);
	return err;
}

void
sockets_close(struct sockets *s, int sock)
{
	struct udp_socket *u = &s->sock[sock];

	assert(sock >= 0 && sock < SOCKETS_MAX);
	if (!u->open)
		return;
	sockets_flush(s); /* committed datagrams must be sent */
	free_socket(u);
}

/* ---- sending ---- */

static bool
can_send(const struct sockets *s, int sock)
{
	return s->sock[sock].open && s->sock[sock].out.wait == TX_QUEUE_READY;
}

uint8_t *
sockets_reserve(struct sockets *s, const struct dgram_meta *meta, size_t cap)
{
	uint8_t *space;

	assert(meta->sock >= 0 && meta->sock < SOCKETS_MAX);
	if (!can_send(s, meta->sock) ||
	    meta->to.family != s->sock[meta->sock].family ||
	    !tx_batch_fits(meta, cap))
		return NULL;
	space = tx_batch_reserve(&s->out, meta, cap);
	if (space != NULL)
		return space;
	sockets_flush(s);
	return can_send(s, meta->sock) ? tx_batch_reserve(&s->out, meta, cap)
				       : NULL;
}

int
sockets_commit(struct sockets *s, size_t len)
{
	int sock = s->out.sock[s->out.len];
	int err = tx_batch_commit(&s->out, len);

	if (err == 0)
		rx_coalesce_sent(&s->sock[sock].coalesce, len);
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
		schedule_retry(u);
		at = end;
	}
	tx_batch_clear(b);
}

const struct tx_queue_counts *
sockets_counts(const struct sockets *s)
{
	return &s->counts;
}
