/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>

#include "log/log.h"
#include "net/tx_queue.h"

_Static_assert(IP_PMTUDISC_DONT == IPV6_PMTUDISC_DONT &&
		   IP_PMTUDISC_PROBE == IPV6_PMTUDISC_PROBE,
    "the values are the same for both families");

/*
 * Permits or disables fragments by a socket option: there is no control message
 * for it. While they are disabled, ICMP messages about the MTU are ignored.
 * IPv6 routers never fragment; the kernel does, by the MTU that it has learned.
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
		log_debug("socket option MTU_DISCOVER is not set: %m");
}

void
tx_queue_init(
    struct tx_queue *o, int fd, uint16_t family, struct tx_queue_counts *counts)
{
	int segment;
	socklen_t len = sizeof segment;

	*o = (struct tx_queue){.fd = fd, .family = family, .counts = counts};
	o->splits = getsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, &len) == 0;
	set_fragments(o, false);
}

/* Counts messages at to end - 1 as lost. */
static void
count_lost(
    struct tx_queue *o, const struct tx_batch *b, unsigned at, unsigned end)
{
	for (; at < end; at++)
		o->counts->lost += tx_batch_datagrams(b, at);
}

static void
free_queued(struct tx_queue *o)
{
	free(o->queued);
	o->queued = NULL;
	o->wait = TX_QUEUE_READY;
}

void
tx_queue_fini(struct tx_queue *o)
{
	if (o->queued != NULL)
		count_lost(o, o->queued, o->queued_sent, o->queued->len);
	free_queued(o);
}

/* ---- sending ---- */

/* Returns true and sets o->wait if the error concerns the whole socket and not
 * one datagram. */
static bool
must_wait(struct tx_queue *o, int error)
{
	if (error == EAGAIN)
		o->wait = TX_QUEUE_FULL;
	else if (error == ENOBUFS || error == ENOMEM)
		o->wait = TX_QUEUE_STARVED;
	else
		return false;
	return true;
}

/* Returns true for the errors of a kernel or device that cannot split a burst,
 * udp(7). */
static bool
cannot_split(int error)
{
	return error == EIO || error == EINVAL || error == EMSGSIZE ||
	       error == EOPNOTSUPP;
}

/*
 * Sends the datagrams of a burst without UDP_SEGMENT. Returns false if the
 * socket must wait; then the message holds the datagrams that were not sent.
 */
static bool
send_split(struct tx_queue *o, struct tx_batch *b, unsigned i)
{
	struct tx_batch_split split;
	unsigned at = 0;

	tx_batch_split(b, i, &split);
	while (at < split.len) {
		int n = sendmmsg(o->fd, split.msg + at, split.len - at, 0);

		if (n > 0) {
			/* The datagram alone is accepted: splitting failed. */
			if (at == 0 && o->splits) {
				o->splits = false;
				log_info("UDP_SEGMENT does not work with this "
					 "network device; bursts are sent as "
					 "single datagrams");
			}
			at += (unsigned)n;
		} else if (n < 0 && must_wait(o, errno)) {
			tx_batch_skip(b, i, at);
			return false;
		} else if (n == 0 || errno != EINTR) {
			o->counts->lost++; /* too big, no route, filtered */
			at++;
		}
	}
	return true;
}

/*
 * Returns the end of the messages from `at` on that one system call can send.
 */
static unsigned
find_run_end(const struct tx_queue *o, const struct tx_batch *b, unsigned at,
    unsigned end)
{
	do
		at++;
	while (at < end && (o->splits || b->segment[at] == 0) &&
	       b->fragment[at] == o->fragments);
	return at;
}

/* Returns the first message that was not sent because the socket must wait, or
 * end. */
static unsigned
send_some(struct tx_queue *o, struct tx_batch *b, unsigned at, unsigned end)
{
	while (at < end) {
		bool burst = b->segment[at] != 0;
		int n = 0;

		if (b->fragment[at] != o->fragments)
			set_fragments(o, b->fragment[at]);
		if (!burst || o->splits)
			n = sendmmsg(o->fd, b->msg + at,
			    find_run_end(o, b, at, end) - at, 0);
		if (n > 0) {
			at += (unsigned)n;
		} else if (burst && (!o->splits || cannot_split(errno))) {
			if (!send_split(o, b, at))
				return at;
			at++;
		} else if (n < 0 && must_wait(o, errno)) {
			return at;
		} else if (n == 0 || errno != EINTR) {
			count_lost(o, b, at, at + 1); /* no route, filtered */
			at++;
		}
	}
	return end;
}

/* ---- queueing ---- */

static void
enqueue(struct tx_queue *o, const struct tx_batch *b, unsigned at, unsigned end)
{
	if (o->queued == NULL) {
		o->queued = calloc(1, sizeof *o->queued);
		if (o->queued == NULL) {
			count_lost(o, b, at, end);
			o->wait = TX_QUEUE_READY;
			return;
		}
		tx_batch_init(o->queued);
		o->queued_sent = 0;
	}
	for (; at < end; at++) {
		o->counts->delayed += tx_batch_datagrams(b, at);
		tx_batch_copy(o->queued, b, at);
	}
}

void
tx_queue_send(struct tx_queue *o, struct tx_batch *b, unsigned at, unsigned end)
{
	if (o->wait == TX_QUEUE_READY)
		at = send_some(o, b, at, end);
	if (at < end)
		enqueue(o, b, at, end);
}

void
tx_queue_retry(struct tx_queue *o)
{
	o->wait = TX_QUEUE_READY;
	o->queued_sent =
	    send_some(o, o->queued, o->queued_sent, o->queued->len);
	if (o->queued_sent == o->queued->len)
		free_queued(o);
}
