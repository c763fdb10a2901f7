/* SPDX-License-Identifier: ISC */
/*
 * punch_context.h - what all hole punches of one node share.
 *
 * punch.c owns it; punchers and network checks borrow it. Each member belongs
 * to the module whose header declares it and is changed through its functions
 * alone.
 */
#ifndef PUNCH_PUNCH_CONTEXT_H
#define PUNCH_PUNCH_CONTEXT_H

#include "punch/lifetime_schedule.h"
#include "punch/probe_budget.h"
#include "punch/punch.h"
#include "punch/destination_budget.h"
#include "punch/punch_admission.h"
#include "punch/punch_pool.h"
#include "punch/puncher.h"
#include "punch/socket_table.h"

struct punch {
	const struct core *core;
	struct dht *dht;
	struct router *router;
	struct socket_table sockets;
	struct punch_pool pool;
	struct puncher_list punchers;
	uint32_t punchers_len;
	struct punch_admission admission;
	struct probe_budget budget;
	struct destination_budget destinations;
	struct lifetime_schedule lifetime_schedule;
};

#endif
