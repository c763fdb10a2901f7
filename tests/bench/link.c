/* SPDX-License-Identifier: ISC */
/*
 * link [--hosts N] [--rate BIT/S] [--delay-us N] [--loss-ppm N]
 *     [--queue BYTES] [--seed N]
 *
 * Creates network namespaces, 11.1.1.1, 11.1.2.1 and so on, and a link between
 * them; two by default. They are removed with the process. The packets of each
 * have the rate, the one-way delay, the loss and the queue (default: one
 * bandwidth-delay product) to themselves.
 *
 * Prints {"hosts":[PATH,...]}, for nsenter --net=PATH, when the link is up;
 * then, for each line of its input, the packets of each since the line before;
 * and exits at the end of its input.
 *
 * Exits with 0, or 77 if namespaces are not permitted.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "pipe.h"
#include "tool.h"
#include "tun.h"

enum {
	EXIT_SKIPPED = 77,
	HOSTS_MAX = 100,
	/* Packets read from one end before the others have a turn. */
	READ_MAX = 64,
	/* Packets that come out within this leave together, as a network card
	 * gathers interrupts. */
	GATHER_NS = 50000,
	NS = 1000000000,
};

/* A namespace, and the line for the packets that it sends. */
struct host {
	struct tun tun;
	struct pipe *pipe;
	uint64_t
	    refused; /* by the device at the far end, or without destination */
	struct pipe_counts reported;
};

static struct host hosts[HOSTS_MAX];
static int hosts_len = 2;

/* ---- packets ---- */

/* Reads packets into the line. Returns true if there may be more. */
static bool
read_packets(struct host *h)
{
	for (int n = 0; n < READ_MAX; n++) {
		ssize_t len =
		    read(h->tun.fd, pipe_room(h->pipe), PIPE_PACKET_MAX);

		if (len <= 0)
			return false;
		pipe_put(h->pipe, now_ns(), (size_t)len);
	}
	return true;
}

/* Returns the host of a packet, by the third byte of its destination, or -1. */
static int
find_destination(const uint8_t *packet, size_t len)
{
	enum { THIRD = 18 };

	if (len <= THIRD || packet[THIRD] == 0 || packet[THIRD] > hosts_len)
		return -1;
	return packet[THIRD] - 1;
}

static void
send_due(struct host *h, uint64_t now)
{
	const uint8_t *packet;
	size_t len;

	while ((packet = pipe_get(h->pipe, now, &len)) != NULL) {
		int to = find_destination(packet, len);

		if (to < 0 || write(hosts[to].tun.fd, packet, len) < 0)
			h->refused++;
	}
}

/*
 * Returns nanoseconds until the next packet leaves a line; -1: all are empty.
 */
static int64_t
wait_ns(void)
{
	uint64_t due = PIPE_NEVER, now = now_ns();

	for (int i = 0; i < hosts_len; i++)
		if (pipe_due(hosts[i].pipe) < due)
			due = pipe_due(hosts[i].pipe);
	if (due == PIPE_NEVER)
		return -1;
	return due > now + GATHER_NS ? (int64_t)(due - now) : GATHER_NS;
}

/* ---- requests ---- */

static void
print_counts(void)
{
	printf("{\"passed\":[");
	for (int i = 0; i < hosts_len; i++) {
		struct host *h = &hosts[i];
		struct pipe_counts c = *pipe_counts(h->pipe), *t = &h->reported;

		printf("%s{\"in\":%llu,\"out\":%llu,\"lost\":%llu,"
		       "\"full\":%llu,\"refused\":%llu,\"bytes_out\":%llu}",
		    i == 0 ? "" : ",", (unsigned long long)(c.in - t->in),
		    (unsigned long long)(c.out - t->out),
		    (unsigned long long)(c.lost - t->lost),
		    (unsigned long long)(c.full - t->full),
		    (unsigned long long)h->refused,
		    (unsigned long long)(c.bytes_out - t->bytes_out));
		h->reported = c;
		h->refused = 0;
	}
	printf("]}\n");
	fflush(stdout);
}

/* Handles a request. Returns false at the end of the input. */
static bool
handle_request(void)
{
	char text[64];
	ssize_t n = read(STDIN_FILENO, text, sizeof text);

	if (n > 0)
		print_counts();
	return n > 0;
}

static void
run(void)
{
	struct pollfd fds[HOSTS_MAX + 1];
	struct pollfd *input = &fds[hosts_len];

	for (int i = 0; i < hosts_len; i++)
		fds[i] = (struct pollfd){hosts[i].tun.fd, POLLIN, 0};
	*input = (struct pollfd){STDIN_FILENO, POLLIN, 0};
	for (bool more = false;;) {
		int64_t wait = more ? 0 : wait_ns();
		struct timespec t = {.tv_sec = (time_t)(wait / NS),
		    .tv_nsec = (long)(wait % NS)};

		if (ppoll(fds, (nfds_t)hosts_len + 1, wait < 0 ? NULL : &t,
			NULL) < 0 &&
		    errno != EINTR)
			die("ppoll");
		if (input->revents != 0 && !handle_request())
			return;
		more = false;
		for (int i = 0; i < hosts_len; i++)
			if (fds[i].revents != 0 && read_packets(&hosts[i]))
				more = true;
		for (int i = 0; i < hosts_len; i++)
			send_due(&hosts[i], now_ns());
	}
}

/* ---- start ---- */

static void
parse(char **argv, struct pipe_setup *s)
{
	const long most = 10000000000;

	for (int i = 1; argv[i] != NULL; i += 2) {
		const char *word = argv[i], *value = argv[i + 1];

		if (value == NULL || strncmp(word, "--", 2) != 0) {
			fprintf(stderr, "link: see the comment in link.c\n");
			exit(2);
		}
		if (strcmp(word, "--rate") == 0)
			s->rate = (uint64_t)number(value, 1000, most);
		else if (strcmp(word, "--delay-us") == 0)
			s->delay_ns = 1000 * (uint64_t)number(value, 0, NS);
		else if (strcmp(word, "--loss-ppm") == 0)
			s->loss_ppm = (uint32_t)number(value, 0, 1000000);
		else if (strcmp(word, "--hosts") == 0)
			hosts_len = (int)number(value, 2, HOSTS_MAX);
		else if (strcmp(word, "--queue") == 0)
			s->queue = (uint64_t)number(value, 1500, NS);
		else
			s->seed = (uint64_t)number(value, 0, most);
	}
	if (s->queue == 0)
		s->queue = s->rate / 8 * (2 * s->delay_ns) / NS;
	if (s->queue < PIPE_PACKET_MAX)
		s->queue = PIPE_PACKET_MAX;
}

/* Requests a real-time priority: a late link is a slower link. */
static void
take_precedence(void)
{
	struct sched_param first = {.sched_priority = 1};

	if (sched_setscheduler(0, SCHED_FIFO, &first) != 0)
		fprintf(stderr, "link: not precise under load (%s)\n",
		    strerror(errno));
	prctl(PR_SET_TIMERSLACK, 1ul);
}

static int
open_host(struct host *h, uint8_t number, struct pipe_setup *s)
{
	char address[sizeof "11.1.255.1"];

	snprintf(address, sizeof address, "11.1.%d.1", number);
	if (tun_open(&h->tun, address) != 0)
		return -1;
	h->pipe = pipe_new(s);
	s->seed++;
	return h->pipe == NULL ? -1 : 0;
}

int
main(int argc, char **argv)
{
	struct pipe_setup s = {.rate = 100000000, .delay_ns = 25000000};

	(void)argc;
	parse(argv, &s);
	for (int i = 0; i < hosts_len; i++) {
		if (open_host(&hosts[i], (uint8_t)(i + 1), &s) == 0)
			continue;
		fprintf(
		    stderr, "no link can be made here: %s\n", strerror(errno));
		return EXIT_SKIPPED;
	}
	take_precedence();
	printf("{\"hosts\":[");
	for (int i = 0; i < hosts_len; i++)
		printf("%s\"/proc/%d/fd/%d\"", i == 0 ? "" : ",", (int)getpid(),
		    hosts[i].tun.ns);
	printf("]}\n");
	fflush(stdout);
	run();
	for (int i = 0; i < hosts_len; i++)
		pipe_free(hosts[i].pipe);
	return 0;
}
