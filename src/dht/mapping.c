/* SPDX-License-Identifier: ISC */
#include "dht/mapping.h"

enum { LOSSES_MAX = 2 };

static void
set_interval(struct mapping *m, uint32_t s)
{
	m->repaced = m->repaced || m->keep_s != s;
	m->keep_s = s;
}

static uint32_t
interval_for(uint32_t lifetime_s)
{
	uint32_t s = lifetime_s * MAPPING_KEEP_PERCENT / 100;

	if (s < MAPPING_KEEP_MIN_S)
		s = MAPPING_KEEP_MIN_S;
	return s < MAPPING_KEEP_MAX_S ? s : MAPPING_KEEP_MAX_S;
}

void
mapping_learn(
    struct mapping *m, uint32_t at_least_s, uint32_t at_most_s, uint64_t now_us)
{
	m->known = true;
	m->at_least_s = at_least_s;
	m->at_most_s = at_most_s;
	m->measured_us = now_us;
	m->losses = 0;
	set_interval(m, at_least_s > 0 ? interval_for(at_least_s) : 0);
}

void
mapping_void(struct mapping *m)
{
	m->known = false;
	m->at_least_s = m->at_most_s = 0;
	m->losses = 0;
	set_interval(m, 0);
}

void
mapping_changed(struct mapping *m, bool kept, uint64_t now_us)
{
	uint64_t pause_us =
	    mapping_keep_us(m, MAPPING_KEEP_MIN_S, MAPPING_KEEP_HEARD_S);

	/* Each node that sees us reports the same change; it counts once. */
	if (m->changes > 0 && now_us - m->changed_us <= pause_us)
		return;
	m->changes++;
	m->changed_us = now_us;
	if (!kept || m->keep_s == 0)
		return;
	if (++m->losses >= LOSSES_MAX)
		mapping_void(m);
	else if (m->keep_s / 2 > MAPPING_KEEP_MIN_S)
		set_interval(m, m->keep_s / 2);
	else
		set_interval(m, MAPPING_KEEP_MIN_S);
}

uint64_t
mapping_keep_us(const struct mapping *m, uint32_t otherwise_s, uint32_t max_s)
{
	uint32_t s = m->keep_s > 0 ? m->keep_s : otherwise_s;

	return (s < max_s ? s : max_s) * UINT64_C(1000000);
}

bool
mapping_repaced(struct mapping *m)
{
	bool repaced = m->repaced;

	m->repaced = false;
	return repaced;
}
