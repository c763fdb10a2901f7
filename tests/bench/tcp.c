/* SPDX-License-Identifier: ISC */
/*
 * tcp ROLE ...: runs a TCP connection instead of an encrypted stream, for
 * comparison. Accepts these options of peer.h: send, receive, --bytes,
 * --seconds, --every and --cc.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"
#include "tool.h"

enum { READ_LEN = 1 << 18 };

static struct peer_options options;
static struct peer_result result = {.who = "tcp", .good = true};
static uint64_t next_told;

static void
tell_in_time(void)
{
	uint64_t now = now_ns();

	if (options.every == 0 || now < next_told)
		return;
	next_told = now + options.every * UINT64_C(1000000);
	peer_tell_passed(result.bytes_in, result.bytes_out);
}

static void
set_congestion_control(int fd)
{
	if (options.cc != NULL &&
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, options.cc,
		(socklen_t)strlen(options.cc)) != 0)
		die(options.cc);
}

static void
send_all(int fd)
{
	uint64_t end = result.begun_ns + options.seconds * UINT64_C(1000000000);

	while (result.bytes_out < options.bytes) {
		uint64_t left = options.bytes - result.bytes_out;
		size_t len = left < options.write ? left : options.write;
		ssize_t n = send(
		    fd, peer_bytes(0, result.bytes_out), len, MSG_NOSIGNAL);

		if (n < 0)
			die("send");
		result.bytes_out += (uint64_t)n;
		tell_in_time();
		if (options.seconds != 0 && now_ns() >= end)
			break;
	}
	shutdown(fd, SHUT_WR);
}

static void
receive_all(int fd)
{
	static uint8_t bytes[READ_LEN];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0) {
		result.last_ns = now_ns();
		if (result.first_ns == 0)
			result.first_ns = result.last_ns;
		if (!peer_right(0, result.bytes_in, bytes, (size_t)n))
			result.good = false;
		result.bytes_in += (uint64_t)n;
		tell_in_time();
	}
	if (n < 0)
		die("recv");
}

static void
note_info(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return;
	result.rtt_us = info.tcpi_rtt;
	result.mtu = info.tcpi_pmtu;
	result.resent = info.tcpi_total_retrans;
}

static int
open_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (void *)&options.here, sizeof options.here) != 0)
		die("bind");
	set_congestion_control(fd);
	if (options.role == PEER_RECEIVE && listen(fd, 1) != 0)
		die("listen");
	return fd;
}

static void
wait_for_go(void)
{
	char c;

	if (read(STDIN_FILENO, &c, 1) != 1)
		exit(1);
}

int
main(int argc, char **argv)
{
	uint64_t cpu;
	int fd;

	(void)argc;
	peer_parse(&options, argv);
	fd = open_socket();
	peer_tell_ready(NULL, 0);
	wait_for_go();
	peer_tell_going();
	if (options.role == PEER_RECEIVE)
		fd = accept(fd, NULL, NULL);
	else if (connect(fd, (void *)&options.there, sizeof options.there) != 0)
		die("connect");
	if (fd < 0)
		die("accept");
	cpu = peer_cpu_ns();
	result.begun_ns = now_ns();
	if (options.role == PEER_SEND)
		send_all(fd);
	receive_all(fd);
	result.done_ns = now_ns();
	result.cpu_ns = peer_cpu_ns() - cpu;
	note_info(fd);
	peer_tell_done(&options, &result);
	return 0;
}
