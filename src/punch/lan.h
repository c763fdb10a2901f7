/* SPDX-License-Identifier: ISC */
/*
 * lan.h - which of a peer's addresses may be in our own network, protocol 04
 * §11.
 */
#ifndef PUNCH_LAN_H
#define PUNCH_LAN_H

#include <stddef.h>

#include "base/addr.h"

/*
 * The one of theirs that shares most leading octets with one of mine, IPv4
 * alone; NULL if none shares any.
 */
const struct addr *lan_match(const struct addr *mine, size_t mine_len,
    const struct addr *theirs, size_t theirs_len);

#endif
