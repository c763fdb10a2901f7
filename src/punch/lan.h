/* SPDX-License-Identifier: ISC */
/*
 * lan.h - selects a peer's address in our own network, protocol 04 §11.
 */
#ifndef PUNCH_LAN_H
#define PUNCH_LAN_H

#include <stddef.h>

#include "base/addr.h"

/*
 * Returns the IPv4 address of theirs that shares the most leading octets with
 * one of mine, or NULL if none shares any.
 */
const struct addr *lan_match(const struct addr *mine, size_t mine_len,
    const struct addr *theirs, size_t theirs_len);

#endif
