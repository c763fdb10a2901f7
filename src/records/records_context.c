/* SPDX-License-Identifier: ISC */
#include "records/records_context.h"

void
records_context_init(struct records_context *cx, const struct core *core,
    struct dht *d, void (*on_expiry)(struct timer *t))
{
	*cx = (struct records_context){
	    .core = core, .dht = d, .expiry = {.fire = on_expiry}};
}

void
records_context_fini(struct records_context *cx)
{
	timer_disarm(cx->core->timers, &cx->expiry);
}

struct writer
records_context_writer(
    const struct records_context *cx, const struct dht_request *rq)
{
	return (struct writer){.from = &rq->dg.from,
	    .now_s = records_context_now_s(cx),
	    .shares = records_context_shares(cx)};
}

struct addr
records_context_own_address(const struct records_context *cx)
{
	const struct addr *a = dht_public_address(cx->dht);

	return a != NULL ? *a : addr_v4(0, 0, 0, 0, 0);
}

struct writer
records_context_own_writer(
    const struct records_context *cx, const struct addr *own)
{
	return (struct writer){
	    .from = own, .now_s = records_context_now_s(cx), .shares = false};
}

void
records_context_expire_in(struct records_context *cx, uint32_t seconds)
{
	/* Without memory, expired entries stay longer but are not served. */
	timer_arm(cx->core->timers, &cx->expiry,
	    cx->core->world->now_us + UINT64_C(1000000) * seconds);
}

void
records_context_stored(struct records_context *cx)
{
	if (!timer_armed(&cx->expiry))
		records_context_expire_in(cx, cx->core->limits->record_seconds);
}

int
records_context_drop(struct records_context *cx, int err)
{
	return stats_drop(cx->core->stats, err);
}

int
records_context_reply(struct records_context *cx, const struct dht_request *rq,
    struct bytes value)
{
	struct dht_reply re = {.value = value, .token = true, .closer = true};

	return dht_reply(cx->dht, rq, &re);
}
