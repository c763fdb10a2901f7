/* SPDX-License-Identifier: ISC */
/*
 * ready PORT COMMAND...: measures the time from the start of a program until it
 * answers its first request, and until it notifies the service manager that it
 * is ready (-1: it does not). Prints one JSON object and kills the program.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { EVERY_MS = 1, GIVE_UP_S = 10 };

static const uint8_t ping[] = {
    REQUEST, IS_INTERNAL, 1, 0, 127, 0, 0, 1, 0, 0, 0};

static int
notify_socket(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "/tmp/bench-ready-%d.sock",
	    (int)getpid());
	unlink(at.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
		die("notify socket");
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	return fd;
}

static double
since_ms(uint64_t start)
{
	return (double)(now_ns() - start) / 1e6;
}

/* Receives one notification. Returns true if it reports READY. */
static int
says_ready(int fd)
{
	char text[256];
	ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strstr(text, "READY=1") != NULL;
}

static void
measure(const struct sockaddr_in *node, int notify, int udp, uint64_t start)
{
	double answers = -1, ready = -1;
	struct pollfd pfd[] = {
	    {.fd = udp, .events = POLLIN}, {.fd = notify, .events = POLLIN}};
	uint8_t buf[DGRAM_MAX];

	/*
	 * The notification comes at about the time of the first answer, or
	 * never.
	 */
	while (since_ms(start) < GIVE_UP_S * 1e3) {
		if (answers < 0 &&
		    sendto(udp, ping, sizeof ping, 0,
			(const struct sockaddr *)node, sizeof *node) < 0)
			die("sendto");
		poll(pfd, 2, EVERY_MS);
		if (answers < 0 &&
		    recv(udp, buf, sizeof buf, MSG_DONTWAIT) >= HEAD_LEN)
			answers = since_ms(start);
		if (ready < 0 && says_ready(notify))
			ready = since_ms(start);
		if (answers >= 0 &&
		    (ready >= 0 || since_ms(start) > answers + 100))
			break;
	}
	printf("{\"answers_ms\":%.1f,\"ready_ms\":%.1f}\n", answers, ready);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in node, any = loopback("127.0.0.1", 0);
	uint64_t start;
	int notify, udp;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "Use: ready PORT COMMAND...\n");
		return 2;
	}
	node = loopback("127.0.0.1", (int)number(argv[1], 1, 65535));
	notify = notify_socket();
	udp = udp_bind(&any);
	start = now_ns();
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		die(argv[2]);
	}
	measure(&node, notify, udp, start);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(getenv("NOTIFY_SOCKET"));
	return 0;
}
