/* SPDX-License-Identifier: ISC */
/*
 * reason.h - exit code and advice for each reason why a connection failed.
 */
#ifndef DHTCTL_REASON_H
#define DHTCTL_REASON_H

struct reason {
	int err;  /* ERR_*; its name is the err_name of the error */
	int code; /* enum exit_code */
	const char *advice;
};

/* Returns the reason of that name, or NULL if it is not one of a connection. */
const struct reason *reason_find(const char *name);

/* Returns the text for an err_name, or the name itself if it is not known. */
const char *reason_text(const char *name);

#endif
