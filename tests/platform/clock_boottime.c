/* SPDX-License-Identifier: ISC */
/*
 * Assumption: CLOCK_BOOTTIME minus CLOCK_MONOTONIC is constant while the host
 * runs, far below a second's drift, and grows by the length of a suspend, while
 * CLOCK_MONOTONIC goes on as if nothing had been.
 *
 * A test cannot suspend the host. A time namespace with a boot time an hour
 * ahead, which the process enters while it runs, looks to it like a suspend of
 * an hour.
 *
 * Relied on by: wakeup_clock.c (check_sleep, SLEEP_MIN_US).
 */
#include <fcntl.h>
#include <time.h>

#include "platform.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

enum { HOUR_S = 3600, SECOND_US = 1000000, TOLERANCE_US = SECOND_US / 2 };

static int64_t
read_us(clockid_t id)
{
	struct timespec t;

	REQUIRE(clock_gettime(id, &t) == 0);
	return (int64_t)t.tv_sec * SECOND_US + t.tv_nsec / 1000;
}

static int64_t
asleep_us(void)
{
	int64_t now = read_us(CLOCK_MONOTONIC);

	return read_us(CLOCK_BOOTTIME) - now;
}

static void
check_constant(void)
{
	struct timespec pause = {.tv_nsec = 1000000};
	int64_t start = asleep_us(), now;

	for (int i = 0; i < 100; i++) {
		now = asleep_us();
		REQUIRE(now - start < TOLERANCE_US);
		REQUIRE(start - now < TOLERANCE_US);
		nanosleep(&pause, NULL);
	}
}

/* Makes the boot time of the process an hour later than before. */
static void
jump(void)
{
	int fd;

	if (unshare(CLONE_NEWTIME) != 0 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWTIME) != 0)
		skip("no time namespace can be created: %m");
	fd = open("/proc/self/timens_offsets", O_WRONLY);
	if (fd < 0 || dprintf(fd, "boottime %d 0\n", HOUR_S) < 0)
		skip("/proc/self/timens_offsets is not writable: %m");
	close(fd);
	fd = open("/proc/self/ns/time_for_children", O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWTIME) != 0)
		skip("the time namespace cannot be entered: %m");
	close(fd);
}

int
main(void)
{
	int64_t before_us, slept_us, now_us;

	check_constant();
	before_us = asleep_us();
	now_us = read_us(CLOCK_MONOTONIC);
	jump();
	slept_us = asleep_us() - before_us - (int64_t)HOUR_S * SECOND_US;
	REQUIRE(slept_us > -TOLERANCE_US && slept_us < TOLERANCE_US);
	REQUIRE(read_us(CLOCK_MONOTONIC) >= now_us);
	REQUIRE(read_us(CLOCK_MONOTONIC) < now_us + 60 * SECOND_US);
	check_constant();
	return 0;
}
