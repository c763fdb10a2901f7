/* SPDX-License-Identifier: ISC */
/*
 * streamer ROLE ...: runs one end of encrypted streams, on the core and the
 * sockets of the daemon, without DHT and handshake. See peer.h.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "flow.h"
#include "net/real_world.h"
#include "net/sockaddr.h"
#include "tool.h"

enum {
	SETTLE_S = 3, /* of many streams, before what they cost is measured */
	MESSAGE_EVERY_MS = 1,
};

static struct {
	struct peer_options options;
	struct event_base *base;
	struct real_world world;
	struct timers timers;
	struct stats stats;
	struct limits limits;
	struct core core;
	struct event *timer, *input, *every, *pulse, *idle, *resume, *time;
	uint64_t armed_us; /* of timer */
	uint64_t cpu_ns, rss_before_kib;
	struct flows all;
	struct flow *flows;
	bool told;
} program;

/* ---- wake-ups, as in the daemon ---- */

static void
wake(void *owner)
{
	uint64_t slept = real_world_update(&program.world);

	(void)owner;
	if (slept > 0)
		udx_slept(program.all.udx, slept);
}

static void
tell_end(void)
{
	struct peer_result *r = &program.all.result;

	if (program.told || program.all.open > 0 ||
	    program.options.role == PEER_IDLE)
		return;
	program.told = true;
	r->cpu_ns = peer_cpu_ns() - program.cpu_ns;
	peer_tell_done(&program.options, r);
}

static void
arm(void)
{
	uint64_t due = timers_deadline(&program.timers);
	uint64_t now = program.world.world.now_us;
	uint64_t delay = due > now + 1 ? due - now : 0;
	struct timeval tv = {.tv_sec = (time_t)(delay / 1000000),
	    .tv_usec = (suseconds_t)(delay % 1000000)};

	if (due == program.armed_us)
		return;
	program.armed_us = due;
	if (due == WORLD_NEVER)
		evtimer_del(program.timer);
	else
		evtimer_add(program.timer, &tv);
}

static void
hand_out_events(void)
{
	struct udx_stream *s;
	unsigned events;

	while ((s = udx_poll(program.all.udx, &events)) != NULL)
		flow_event(udx_owner(s), events);
}

static void
settle(void *owner)
{
	(void)owner;
	hand_out_events();
	timers_run(&program.timers, program.world.world.now_us);
	hand_out_events();
	sockets_flush(program.world.sockets);
	arm();
	tell_end();
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	program.armed_us = WORLD_NEVER;
	wake(arg);
	settle(arg); /* which runs what is due */
}

static void
on_datagram(void *owner, const struct dgram *dg)
{
	(void)owner;
	(void)udx_recv(program.all.udx, dg);
}

static void
on_writable(void *owner, int sock)
{
	(void)owner;
	udx_writable(program.all.udx, sock);
}

static void
on_resolved(void *owner, uint32_t ticket, const struct addr *a)
{
	(void)owner;
	(void)ticket;
	(void)a;
}

/* ---- scheduled actions ---- */

static void
on_input(evutil_socket_t fd, short what, void *arg)
{
	char byte;

	(void)what;
	(void)arg;
	if (read(fd, &byte, 1) <= 0)
		event_base_loopbreak(program.base);
}

static void
on_every(evutil_socket_t fd, short what, void *arg)
{
	uint64_t in = program.all.result.bytes_in;

	(void)fd;
	(void)what;
	(void)arg;
	peer_tell_passed(in, program.all.result.bytes_out);
}

/* Messages are sent one by one; other data as there is space. */
static void
on_pulse(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	wake(arg);
	for (uint32_t i = 0; i < program.options.streams; i++)
		flow_write(&program.flows[i]);
	settle(arg);
}

/* Ends the streams after enough was written. */
static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	wake(arg);
	for (uint32_t i = 0; i < program.options.streams; i++) {
		program.flows[i].total = program.flows[i].out;
		flow_write(&program.flows[i]);
	}
	settle(arg);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	wake(arg);
	program.all.paused = false;
	for (uint32_t i = 0; i < program.options.streams; i++)
		flow_read(&program.flows[i]);
	settle(arg);
}

/* Fires twice: when all is quiet, and after the requested time. */
static void
on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct timeval tv = {.tv_sec = (time_t)program.options.seconds};
	uint64_t cpu = peer_cpu_ns() - program.cpu_ns;

	(void)fd;
	(void)what;
	(void)arg;
	if (!program.told) {
		program.told = true;
		program.cpu_ns = peer_cpu_ns();
		evtimer_add(program.idle, &tv);
		return;
	}
	peer_tell_idle(&program.options,
	    (double)cpu / 1e9 / (double)program.options.seconds,
	    program.rss_before_kib);
}

/* ---- start ---- */

static void
must(int err, const char *what)
{
	if (err == 0)
		return;
	fprintf(stderr, "%s: %s\n", what, err_text(err));
	exit(1);
}

static int
open_socket(uint16_t port)
{
	const struct sockaddr_in *here = &program.options.here;
	struct addr at = addr_from_in(here->sin_addr, port), bound;
	int sock = sockets_open(program.world.sockets, &at, &bound);

	if (sock < 0)
		must(sock, "the socket");
	return sock;
}

static uint32_t
id_of(uint32_t stream)
{
	return udx_id(program.flows[stream].raw);
}

/* Uses the daemon's options. */
static void
open_base(void)
{
	struct event_config *c = event_config_new();

	if (c == NULL)
		must(ERR_MEMORY, "the loop");
	event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(c, EVENT_BASE_FLAG_PRECISE_TIMER);
	program.base = event_base_new_with_config(c);
	event_config_free(c);
	if (program.base == NULL)
		must(ERR_MEMORY, "the loop");
}

static void
open_world(void)
{
	struct sockets_owner owner = {
	    .wake = wake,
	    .recv = on_datagram,
	    .writable = on_writable,
	    .settle = settle,
	};

	open_base();
	must(real_world_init(&program.world, program.base, &owner, on_resolved),
	    "the world");
	timers_init(&program.timers);
	limits_init(&program.limits);
	program.core = (struct core){
	    .world = &program.world.world,
	    .timers = &program.timers,
	    .stats = &program.stats,
	    .limits = &program.limits,
	};
	randombytes_buf(&program.core.hash_key, sizeof program.core.hash_key);
	program.timer = evtimer_new(program.base, on_timer, NULL);
	program.input = event_new(
	    program.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, NULL);
	program.every = event_new(program.base, -1, EV_PERSIST, on_every, NULL);
	program.pulse = event_new(program.base, -1, EV_PERSIST, on_pulse, NULL);
	program.idle = evtimer_new(program.base, on_idle, NULL);
	program.time = evtimer_new(program.base, on_time, NULL);
	program.resume = evtimer_new(program.base, on_resume, NULL);
}

static void
open_flows(void)
{
	const struct peer_options *o = &program.options;
	struct flows *all = &program.all;

	*all = (struct flows){
	    .options = o,
	    .world = &program.world.world,
	    .timers = &program.timers,
	    .initiator = (o->role == PEER_SEND) != o->swap,
	    .paused = o->pause != 0,
	    .open = (uint32_t)o->streams,
	    .result = {.who = "ours", .good = true},
	};
	all->udx = udx_new(&program.core);
	program.flows = calloc(o->streams, sizeof *program.flows);
	if (all->udx == NULL || program.flows == NULL)
		must(ERR_MEMORY, "udx");
	all->sock = open_socket(ntohs(o->here.sin_port));
	if (o->move != 0)
		all->other_sock = open_socket((uint16_t)o->move_port);
	program.rss_before_kib = peer_rss_kib();
	for (uint32_t i = 0; i < o->streams; i++)
		must(flow_open(&program.flows[i], all, i), "a stream");
}

/* Returns the next number of the line; exits if there is none. */
static uint32_t
next_id(char **line)
{
	char *end;
	unsigned long id = strtoul(*line, &end, 10);

	if (end == *line)
		must(ERR_MALFORMED, "the stream ids of the peer");
	*line = end;
	return (uint32_t)id;
}

static void
repeat(struct event *e, uint64_t ms)
{
	struct timeval tv = {.tv_sec = (time_t)(ms / 1000),
	    .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	event_add(e, &tv);
}

static void
go(void)
{
	const struct peer_options *o = &program.options;
	char *line = NULL, *at;
	size_t size = 0;

	if (getline(&line, &size, stdin) < 0)
		exit(1);
	at = line;
	wake(NULL);
	program.cpu_ns = peer_cpu_ns();
	program.all.result.begun_ns = now_ns();
	for (uint32_t i = 0; i < o->streams; i++)
		must(flow_start(&program.flows[i], next_id(&at)), "a stream");
	free(line);
	if (o->role == PEER_SEND)
		for (uint32_t i = 0; i < o->streams; i++)
			flow_write(&program.flows[i]);
	settle(NULL);
	peer_tell_going();
	event_add(program.input, NULL);
	if (o->every != 0)
		repeat(program.every, o->every);
	if (o->role == PEER_SEND && o->messages != 0)
		repeat(program.pulse, MESSAGE_EVERY_MS);
	if (o->role == PEER_SEND && o->seconds != 0)
		repeat(program.time, o->seconds * 1000);
	if (o->pause != 0)
		repeat(program.resume, o->pause);
	if (o->role == PEER_IDLE)
		repeat(program.idle, SETTLE_S * 1000);
}

int
main(int argc, char **argv)
{
	(void)argc;
	if (sodium_init() < 0)
		die("libsodium");
	peer_parse(&program.options, argv);
	open_world();
	open_flows();
	peer_tell_ready(id_of, (uint32_t)program.options.streams);
	go();
	event_base_dispatch(program.base);
	return 0;
}
