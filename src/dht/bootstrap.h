/* SPDX-License-Identifier: ISC */
/*
 * bootstrap.h - entries of the bootstrap list, protocol 01 §13.
 *
 * "192.0.2.1:49737", "name:49737", "192.0.2.1@name:49737" or a bare port on
 * 127.0.0.1. Parses text only; joining.c resolves the names. Uses: base.
 */
#ifndef DHT_BOOTSTRAP_H
#define DHT_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum { BOOTSTRAP_NAME_MAX = 254, BOOTSTRAP_MAX = 32 };

struct bootstrap_entry {
	struct addr addr; /* family none: only the name is known */
	uint16_t port;
	char name[BOOTSTRAP_NAME_MAX]; /* empty: only the address is known */
};

/* Parses one entry. Returns 0 and sets *e, or returns ERR_MALFORMED. */
__attribute__((warn_unused_result)) int bootstrap_parse(
    struct bootstrap_entry *e, const char *text);

/* The three public entries of the HyperDHT network. */
extern const char *const bootstrap_public[3];

#endif
