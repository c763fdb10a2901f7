/* SPDX-License-Identifier: ISC */
/*
 * reason.h - why a connection failed: its exit code, and what to do.
 */
#ifndef DHTCTL_REASON_H
#define DHTCTL_REASON_H

struct reason {
	int err;  /* whose name the control protocol tells */
	int code; /* enum exit_code */
	const char *advice;
};

/* NULL if the name is none of a connection's own reasons. */
const struct reason *reason_find(const char *name);

/* The text of a reason's name, or the name itself if it is not known. */
const char *reason_text(const char *name);

#endif
