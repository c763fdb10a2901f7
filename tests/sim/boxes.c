/* SPDX-License-Identifier: ISC */
#include "sim/boxes.h"

struct nat_config
box_kind(uint32_t i)
{
	return (struct nat_config){
	    .mapping = (enum nat_rule)(i % 3),
	    .filtering = (enum nat_rule)(i / 3 % 3),
	    .ports = (enum nat_ports)(i / 9 % 3),
	    .timeout_s = 60,
	    .refresh_inbound = true,
	};
}

const char *
box_name(const struct nat_config *c)
{
#define FILTERS(m, p)                                                          \
	{                                                                      \
		m "/any/" p, m "/host/" p, m "/port/" p                        \
	}
#define MAPPINGS(p)                                                            \
	{                                                                      \
		FILTERS("any", p), FILTERS("host", p), FILTERS("port", p)      \
	}
	static const char *const names[3][3][3] = {
	    MAPPINGS("kept"), MAPPINGS("steps"), MAPPINGS("drawn")};
#undef MAPPINGS
#undef FILTERS

	return names[c->ports][c->mapping][c->filtering];
}

/* Returns whether the box uses one address for all destinations. */
static bool
is_still(const struct nat_config *c)
{
	return c->mapping == NAT_ENDPOINT_INDEPENDENT;
}

enum hope
box_hope(const struct nat_config *a, const struct nat_config *b)
{
	const struct nat_config *still = is_still(a) ? a : b;
	const struct nat_config *other = is_still(a) ? b : a;

	if (is_still(other))
		return HOPE_KNOWN;
	if (is_still(still) && still->filtering != NAT_ADDRESS_AND_PORT)
		return HOPE_LET_IN;
	if (is_still(still))
		return other->ports == NAT_SEQUENTIAL ? HOPE_FORETOLD
						      : HOPE_GUESSED;
	if (a->ports == NAT_SEQUENTIAL && b->ports == NAT_SEQUENTIAL)
		return HOPE_FORETOLD;
	return a->ports == NAT_RANDOM && b->ports == NAT_RANDOM ? HOPE_NONE
								: HOPE_MIXED;
}

const char *
hope_name(enum hope h)
{
	static const char *const names[HOPES] = {
	    "known", "let_in", "foretold", "guessed", "mixed", "none"};

	return names[h];
}

struct dial_bound
hope_bound(enum hope h)
{
	static const struct dial_bound bounds[HOPES] = {
	    [HOPE_KNOWN] = {80, 16},
	    [HOPE_LET_IN] = {120, 24},
	    [HOPE_FORETOLD] = {3600, 480},
	    [HOPE_GUESSED] = {2400, 600},
	    [HOPE_MIXED] = {7200, 1600},
	    [HOPE_NONE] = {120, 24},
	};

	return bounds[h];
}
