/* SPDX-License-Identifier: ISC */
#include "punch/echo_limiter.h"

/* Echoes per second, and the burst. */
enum { SOURCE_RATE = 20, TOTAL_RATE = 100 };

void
echo_limiter_init(struct echo_limiter *l, uint32_t now_ms)
{
	*l = (struct echo_limiter){.total = bucket_full(TOTAL_RATE, now_ms)};
}

bool
echo_limiter_take(
    struct echo_limiter *l, const struct addr *from, uint32_t now_ms)
{
	struct echo_source *s = l->sources;

	while (s < l->sources + PUNCH_ECHO_SOURCES_MAX &&
	       !addr_equal(&s->addr, from))
		s++;
	if (s == l->sources + PUNCH_ECHO_SOURCES_MAX) {
		s = &l->sources[l->next++ % PUNCH_ECHO_SOURCES_MAX];
		*s = (struct echo_source){
		    .addr = *from, .echoes = bucket_full(SOURCE_RATE, now_ms)};
	}
	bucket_refill(&s->echoes, SOURCE_RATE, SOURCE_RATE, now_ms);
	bucket_refill(&l->total, TOTAL_RATE, TOTAL_RATE, now_ms);
	return bucket_take(&s->echoes, 1) && bucket_take(&l->total, 1);
}
