/* SPDX-License-Identifier: ISC */
/*
 * fault.h - why a function failed: a code for programs, a text for people.
 *
 * The modules that open files and sockets (net, store, config, control) return
 * 0 or a negative code of err.h. Where a user needs more than the code, such as
 * the name of a file, the function takes a struct fault as its last parameter
 * and sets it whenever it fails. Uses: nothing.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

enum { FAULT_TEXT_MAX = 512 };

struct fault {
	int err;                   /* negative, of err.h */
	char text[FAULT_TEXT_MAX]; /* one sentence without a full stop */
};

/* Sets *f and returns err, so that a failing function can end with it. */
int fault_set(struct fault *f, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets *f to err and its text of err.h, for what needs no further words. */
int fault_set_code(struct fault *f, int err);

#endif
