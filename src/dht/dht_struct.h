/* SPDX-License-Identifier: ISC */
/*
 * dht_struct.h - struct dht, for dht.c and for the unit tests only.
 *
 * Each module owns its struct and borrows those of the modules that it calls;
 * dht.c connects them in dht_new(). No module includes this header.
 */
#ifndef DHT_DHT_STRUCT_H
#define DHT_DHT_STRUCT_H

#include "dht/candidate.h"
#include "dht/health.h"
#include "dht/joining.h"
#include "dht/maintenance.h"
#include "dht/promotion.h"
#include "dht/queries.h"
#include "dht/request.h"
#include "dht/responder.h"
#include "dht/server_check.h"

/* Members that every datagram touches come first. */
struct dht {
	struct local_node self;
	struct rate_limiter limiter;
	struct responder responder;
	struct requests requests;
	struct candidates candidates;
	struct queries queries;
	struct health health;
	struct maintenance maintenance;
	struct promotion promotion;
	struct server_check server_check;
	struct joining joining;
};

#endif
