/* SPDX-License-Identifier: ISC */
/*
 * tun.h - one end of a link: a network namespace of its own with one tun
 * device, through which its packets leave and arrive.
 *
 * The namespace has no name and no other interface. It exists as long as the
 * descriptor `ns` or a process in it does; nsenter(1) finds it at
 * /proc/PID/fd/NS.
 */
#ifndef BENCH_TUN_H
#define BENCH_TUN_H

struct tun {
	int ns;
	int fd; /* non-blocking; one packet per read and write */
};

/*
 * Creates one with that address in a /16. Leaves the calling process in the new
 * namespace. Returns 0, or -1 and errno.
 */
int tun_open(struct tun *t, const char *address);

#endif
