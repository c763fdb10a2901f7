/* SPDX-License-Identifier: ISC */
/*
 * Assumption: of a UNIX stream socket that the peer closed, what the peer had
 * written is read first and the end after that; poll() without any events
 * reports POLLHUP at once, even while bytes are unread, but not when the peer
 * has only shut down its sending side. If the peer left bytes unread, the read
 * after the last byte fails with ECONNRESET instead. send() then fails with
 * EPIPE, without a signal if MSG_NOSIGNAL is given.
 *
 * Relied on by: peer_splice.c (pump_in, look_for_close, on_check),
 * control_client.c (is_peer_closed).
 */
#include <sys/epoll.h>

#include "platform.h"

static int ours, theirs;

static void
open_pair(void)
{
	int pair[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	ours = pair[0];
	theirs = pair[1];
}

/* Returns what epoll reports of our end, of the events that were asked for. */
static uint32_t
events_of(uint32_t wanted)
{
	struct epoll_event e = {.events = wanted};
	int ep = epoll_create1(0);

	REQUIRE(epoll_ctl(ep, EPOLL_CTL_ADD, ours, &e) == 0);
	if (epoll_wait(ep, &e, 1, 0) == 0)
		e.events = 0;
	close(ep);
	return e.events;
}

static void
check_shutdown(void)
{
	char buf[8];

	open_pair();
	REQUIRE(write(theirs, "last", 4) == 4);
	REQUIRE(shutdown(theirs, SHUT_WR) == 0);
	REQUIRE(events_of(0) == 0);
	REQUIRE(events_of(EPOLLIN | EPOLLRDHUP) == (EPOLLIN | EPOLLRDHUP));
	REQUIRE(recv(ours, buf, sizeof buf, 0) == 4);
	REQUIRE(recv(ours, buf, sizeof buf, 0) == 0);
	/* The other direction goes on. */
	REQUIRE(send(ours, "x", 1, MSG_NOSIGNAL) == 1);
	REQUIRE(recv(theirs, buf, sizeof buf, 0) == 1);
	close(theirs);
	REQUIRE(events_of(0) == EPOLLHUP);
	close(ours);
}

static void
check_close(void)
{
	char buf[8];

	open_pair();
	REQUIRE(events_of(0) == 0);
	REQUIRE(write(theirs, "last", 4) == 4);
	close(theirs);
	REQUIRE(events_of(0) == EPOLLHUP);
	REQUIRE(events_of(EPOLLIN | EPOLLRDHUP) ==
		(EPOLLIN | EPOLLHUP | EPOLLRDHUP));
	REQUIRE(send(ours, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	REQUIRE(recv(ours, buf, sizeof buf, 0) == 4);
	REQUIRE(recv(ours, buf, sizeof buf, 0) == 0);
	close(ours);
}

static void
check_reset(void)
{
	char buf[8];

	open_pair();
	REQUIRE(write(ours, "unread", 6) == 6);
	REQUIRE(write(theirs, "last", 4) == 4);
	close(theirs);
	REQUIRE(events_of(0) == (EPOLLHUP | EPOLLERR));
	REQUIRE(recv(ours, buf, sizeof buf, 0) == 4);
	REQUIRE(recv(ours, buf, sizeof buf, 0) == -1 && errno == ECONNRESET);
	REQUIRE(recv(ours, buf, sizeof buf, 0) == 0);
	close(ours);
}

int
main(void)
{
	check_shutdown();
	check_close();
	check_reset();
	return 0;
}
