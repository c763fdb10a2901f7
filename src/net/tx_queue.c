/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>

#include "log/log.h"
#include "net/tx_queue.h"

_Static_assert(IP_PMTUDISC_DONT == IPV6_PMTUDISC_DONT &&
		   IP_PMTUDISC_PROBE == IPV6_PMTUDISC_PROBE,
    "both families name these alike");

/*
 * An option of the socket, as no kernel takes it beside a datagram. While it is
 * off, what routers say of the MTU is not believed. Those of IPv6 cut nothing:
 * the kernel does, by what they have said of this path before.
 */
static void
set_fragments(struct tx_queue *o, bool on)
{
	bool v6 = o->family == ADDR_V6;
	int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int name = v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER;
	int how = on ? IP_PMTUDISC_DONT : IP_PMTUDISC_PROBE;

	o->fragments = on;
	if (setsockopt(o->fd, level, name, &how, sizeof how) != 0)
		log_debug("a socket does without MTU_DISCOVER: %m");
}

void
tx_queue_init(
    struct tx_queue *o, int fd, uint16_t family, struct tx_queue_counts *counts)
{
	int segment;
	socklen_t len = sizeof segment;

	*o = (struct tx_queue){.fd = fd, .family = family, .counts = counts};
	o->cuts = getsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, &len) == 0;
	set_fragments(o, false);
}

/* Those from at to end will not be sent. */
static void
lose(struct tx_queue *o, const struct tx_batch *b, unsigned at, unsigned end)
{
	for (; at < end; at++)
		o->counts->lost += tx_batch_datagrams(b, at);
}

static void
forget(struct tx_queue *o)
{
	free(o->kept);
	o->kept = NULL;
	o->wait = TX_QUEUE_READY;
}

void
tx_queue_fini(struct tx_queue *o)
{
	if (o->kept != NULL)
		lose(o, o->kept, o->kept_sent, o->kept->len);
	forget(o);
}

/* ---- sending ---- */

/* The whole socket is clogged, not one datagram wrong; how to wait. */
static bool
clogged(struct tx_queue *o, int error)
{
	if (error == EAGAIN)
		o->wait = TX_QUEUE_FULL;
	else if (error == ENOBUFS || error == ENOMEM)
		o->wait = TX_QUEUE_STARVED;
	else
		return false;
	return true;
}

/* udp(7): what a kernel or device says that cannot cut this burst. */
static bool
cannot_cut(int error)
{
	return error == EIO || error == EINVAL || error == EMSGSIZE ||
	       error == EOPNOTSUPP;
}

/*
 * Sends the datagrams of a burst one by one. False if the socket is clogged;
 * what was not sent is then left of it.
 */
static bool
send_pieces(struct tx_queue *o, struct tx_batch *b, unsigned i)
{
	struct tx_batch_pieces cut;
	unsigned at = 0;

	tx_batch_cut(b, i, &cut);
	while (at < cut.len) {
		int n = sendmmsg(o->fd, cut.msg + at, cut.len - at, 0);

		if (n > 0) {
			/* If the first goes, the cutting was at fault. */
			if (at == 0 && o->cuts) {
				o->cuts = false;
				log_info("bursts go without UDP_SEGMENT: this "
					 "device does not cut them");
			}
			at += (unsigned)n;
		} else if (n < 0 && clogged(o, errno)) {
			tx_batch_skip(b, i, at);
			return false;
		} else if (n == 0 || errno != EINTR) {
			o->counts->lost++; /* too big, no route, filtered */
			at++;
		}
	}
	return true;
}

/* Where the run ends that begins at `at` and can go by one system call. */
static unsigned
run_end(const struct tx_queue *o, const struct tx_batch *b, unsigned at,
    unsigned end)
{
	do
		at++;
	while (at < end && (o->cuts || b->segment[at] == 0) &&
	       b->fragment[at] == o->fragments);
	return at;
}

/* Returns the first that was not sent, because the socket is clogged; or end.
 */
static unsigned
send_some(struct tx_queue *o, struct tx_batch *b, unsigned at, unsigned end)
{
	while (at < end) {
		bool burst = b->segment[at] != 0;
		int n = 0;

		if (b->fragment[at] != o->fragments)
			set_fragments(o, b->fragment[at]);
		if (!burst || o->cuts)
			n = sendmmsg(
			    o->fd, b->msg + at, run_end(o, b, at, end) - at, 0);
		if (n > 0) {
			at += (unsigned)n;
		} else if (burst && (!o->cuts || cannot_cut(errno))) {
			if (!send_pieces(o, b, at))
				return at;
			at++;
		} else if (n < 0 && clogged(o, errno)) {
			return at;
		} else if (n == 0 || errno != EINTR) {
			lose(o, b, at, at + 1); /* no route, filtered */
			at++;
		}
	}
	return end;
}

/* ---- keeping ---- */

static void
keep(struct tx_queue *o, const struct tx_batch *b, unsigned at, unsigned end)
{
	if (o->kept == NULL) {
		o->kept = calloc(1, sizeof *o->kept);
		if (o->kept == NULL) {
			lose(o, b, at, end);
			o->wait = TX_QUEUE_READY;
			return;
		}
		tx_batch_init(o->kept);
		o->kept_sent = 0;
	}
	for (; at < end; at++) {
		o->counts->delayed += tx_batch_datagrams(b, at);
		tx_batch_copy(o->kept, b, at);
	}
}

void
tx_queue_send(struct tx_queue *o, struct tx_batch *b, unsigned at, unsigned end)
{
	if (o->wait == TX_QUEUE_READY)
		at = send_some(o, b, at, end);
	if (at < end)
		keep(o, b, at, end);
}

void
tx_queue_again(struct tx_queue *o)
{
	o->wait = TX_QUEUE_READY;
	o->kept_sent = send_some(o, o->kept, o->kept_sent, o->kept->len);
	if (o->kept_sent == o->kept->len)
		forget(o);
}
