/* SPDX-License-Identifier: ISC */
/*
 * Assumption: epoll_wait() reports descriptors in the order in which they
 * became ready. One that stays ready (level-triggered) goes behind the others,
 * so that a reader which takes one event a call, and leaves bytes unread,
 * starves no descriptor. Changed interest applies to what is ready already.
 *
 * Relied on by: daemon.c (event_base_dispatch), sockets.c (READS_MAX).
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "platform.h"

enum { FDS = 5 };

static const int order[FDS] = {3, 0, 4, 1, 2};
static int ep, fd[FDS];

static void
set_interest(int i, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = i};

	REQUIRE(epoll_ctl(ep, EPOLL_CTL_MOD, fd[i], &e) == 0);
}

/* All at once, in the order in which they became ready. */
static void
check_order(void)
{
	struct epoll_event e[FDS];

	REQUIRE(epoll_wait(ep, e, FDS, 0) == FDS);
	for (int i = 0; i < FDS; i++)
		REQUIRE(e[i].data.fd == order[i]);
}

/* One at a time, by turns. */
static void
check_turns(void)
{
	struct epoll_event e;

	for (int i = 0; i < 3 * FDS; i++) {
		REQUIRE(epoll_wait(ep, &e, 1, 0) == 1);
		REQUIRE(e.data.fd == order[i % FDS]);
	}
}

/* A socket that is not watched for a while is reported when it is again. */
static void
check_interest(void)
{
	struct epoll_event e[FDS];

	set_interest(3, 0);
	REQUIRE(epoll_wait(ep, e, FDS, 0) == FDS - 1);
	for (int i = 0; i < FDS - 1; i++)
		REQUIRE(e[i].data.fd != 3);
	set_interest(3, EPOLLIN);
	REQUIRE(epoll_wait(ep, e, FDS, 0) == FDS);
}

int
main(void)
{
	ep = epoll_create1(0);
	for (int i = 0; i < FDS; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.fd = i};

		fd[i] = eventfd(0, EFD_NONBLOCK);
		REQUIRE(epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &e) == 0);
	}
	for (int i = 0; i < FDS; i++)
		REQUIRE(eventfd_write(fd[order[i]], 1) == 0);
	check_order();
	check_turns();
	check_interest();
	return 0;
}
