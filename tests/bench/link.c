/* SPDX-License-Identifier: ISC */
/*
 * link [--rate BIT/S] [--delay-us N] [--loss-ppm N] [--queue BYTES] [--seed N]
 *
 * A link between two network namespaces, 10.77.0.1 and 10.77.0.2, which it
 * makes and which vanish with it. Both directions have the rate, the one-way
 * delay, the loss and the queue (default: one bandwidth-delay product).
 *
 * Says {"a":PATH,"b":PATH}, for nsenter --net=PATH, when the link is there;
 * then, for each line of its input, what has passed since the line before;
 * and ends with its input.
 *
 * Exit: 0, or 77 if this is not allowed here.
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
	/* Packets read from one end before the others have a turn. */
	READ_MAX = 64,
	/* Packets that come out within this leave together, as a network card
	 * gathers interrupts. */
	GATHER_NS = 50000,
	NS = 1000000000,
};

struct direction {
	struct pipe *pipe;
	int from, to;
	uint64_t refused; /* by the device at the far end */
	struct pipe_counts told;
};

static struct direction ways[2];

/* ---- packets ---- */

/* True if there may be more. */
static bool
take_in(struct direction *d)
{
	int n;

	for (n = 0; n < READ_MAX; n++) {
		ssize_t len =
		    read(d->from, pipe_room(d->pipe), PIPE_PACKET_MAX);

		if (len <= 0)
			return false;
		pipe_put(d->pipe, now_ns(), (size_t)len);
	}
	return true;
}

static void
let_out(struct direction *d, uint64_t now)
{
	const uint8_t *packet;
	size_t len;

	while ((packet = pipe_get(d->pipe, now, &len)) != NULL)
		if (write(d->to, packet, len) < 0)
			d->refused++;
}

/* Nanoseconds until something comes out; -1: nothing is under way. */
static int64_t
wait_ns(void)
{
	uint64_t due = pipe_due(ways[0].pipe), now = now_ns();

	if (pipe_due(ways[1].pipe) < due)
		due = pipe_due(ways[1].pipe);
	if (due == PIPE_NEVER)
		return -1;
	return due > now + GATHER_NS ? (int64_t)(due - now) : GATHER_NS;
}

/* ---- what it is asked ---- */

static void
tell(void)
{
	for (int i = 0; i < 2; i++) {
		struct direction *d = &ways[i];
		struct pipe_counts c = *pipe_counts(d->pipe), *t = &d->told;

		printf("%s{\"in\":%llu,\"out\":%llu,\"lost\":%llu,"
		       "\"full\":%llu,\"refused\":%llu,\"bytes_out\":%llu}",
		    i == 0 ? "{\"ab\":" : ",\"ba\":",
		    (unsigned long long)(c.in - t->in),
		    (unsigned long long)(c.out - t->out),
		    (unsigned long long)(c.lost - t->lost),
		    (unsigned long long)(c.full - t->full),
		    (unsigned long long)d->refused,
		    (unsigned long long)(c.bytes_out - t->bytes_out));
		d->told = c;
		d->refused = 0;
	}
	printf("}\n");
	fflush(stdout);
}

/* False at the end of the input. */
static bool
asked(void)
{
	char text[64];
	ssize_t n = read(STDIN_FILENO, text, sizeof text);

	if (n > 0)
		tell();
	return n > 0;
}

static void
run(void)
{
	struct pollfd fds[] = {{.fd = ways[0].from, .events = POLLIN},
	    {.fd = ways[1].from, .events = POLLIN},
	    {.fd = STDIN_FILENO, .events = POLLIN}};

	for (bool more = false;;) {
		int64_t wait = more ? 0 : wait_ns();
		struct timespec t = {.tv_sec = (time_t)(wait / NS),
		    .tv_nsec = (long)(wait % NS)};

		if (ppoll(fds, 3, wait < 0 ? NULL : &t, NULL) < 0 &&
		    errno != EINTR)
			die("ppoll");
		if (fds[2].revents != 0 && !asked())
			return;
		more = false;
		for (int i = 0; i < 2; i++)
			if (take_in(&ways[i]))
				more = true;
		for (int i = 0; i < 2; i++)
			let_out(&ways[i], now_ns());
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
			fprintf(stderr, "link: see the head of link.c\n");
			exit(2);
		}
		if (strcmp(word, "--rate") == 0)
			s->rate = (uint64_t)number(value, 1000, most);
		else if (strcmp(word, "--delay-us") == 0)
			s->delay_ns = 1000 * (uint64_t)number(value, 0, NS);
		else if (strcmp(word, "--loss-ppm") == 0)
			s->loss_ppm = (uint32_t)number(value, 0, 1000000);
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

/* A link that is late is a slower link: it goes before everybody else. */
static void
take_precedence(void)
{
	struct sched_param first = {.sched_priority = 1};

	if (sched_setscheduler(0, SCHED_FIFO, &first) != 0)
		fprintf(stderr, "link: not precise under load (%s)\n",
		    strerror(errno));
	prctl(PR_SET_TIMERSLACK, 1ul);
}

int
main(int argc, char **argv)
{
	struct pipe_setup s = {.rate = 100000000, .delay_ns = 25000000};
	struct tun a, b;

	(void)argc;
	parse(argv, &s);
	if (tun_open(&a, "10.77.0.1") != 0 || tun_open(&b, "10.77.0.2") != 0) {
		fprintf(
		    stderr, "no link can be made here: %s\n", strerror(errno));
		return EXIT_SKIPPED;
	}
	ways[0] =
	    (struct direction){.pipe = pipe_new(&s), .from = a.fd, .to = b.fd};
	s.seed++;
	ways[1] =
	    (struct direction){.pipe = pipe_new(&s), .from = b.fd, .to = a.fd};
	if (ways[0].pipe == NULL || ways[1].pipe == NULL)
		die("link");
	take_precedence();
	printf("{\"a\":\"/proc/%d/fd/%d\",\"b\":\"/proc/%d/fd/%d\"}\n",
	    (int)getpid(), a.ns, (int)getpid(), b.ns);
	fflush(stdout);
	run();
	pipe_free(ways[0].pipe);
	pipe_free(ways[1].pipe);
	return 0;
}
