/* SPDX-License-Identifier: ISC */
/*
 * control_state.h - the state of the node in words, for status, errors and the
 * log.
 */
#ifndef CONTROL_CONTROL_STATE_H
#define CONTROL_CONTROL_STATE_H

#include <stddef.h>

#include "dht/dht.h"

enum { CONTROL_REASON_MAX = 320 };

/* Returns "starting", "online", "degraded" or "offline". */
const char *control_state_name(enum dht_state state);

/* Writes why the node is in this state. Returns out. */
const char *control_state_reason(const struct dht *d,
    const struct dht_status *st, char out[CONTROL_REASON_MAX]);

/* Returns the name of a result in the control protocol ("no-answer"). */
const char *control_entry_result(enum dht_entry_result result);

/* Writes an entry of the bootstrap list as it is configured. Returns out. */
const char *control_entry_text(
    const struct dht_entry *e, char *out, size_t out_len);

/* Writes the address at which others reach the node, or its host alone if it is
 * not reachable from outside. Returns out. */
const char *control_public_address(
    const struct dht_status *st, char out[ADDR_TEXT_MAX]);

#endif
