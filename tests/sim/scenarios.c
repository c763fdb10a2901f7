/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "sim/scenario.h"

/*
 * In the order of `--list`: quiet ones, rough ones, hostile ones, large ones.
 */
#define SCENARIO_LIST(X)                                                       \
	X(join)                                                                \
	X(steady)                                                              \
	X(loss)                                                                \
	X(churn)                                                               \
	X(partition)                                                           \
	X(sequential)                                                          \
	X(sleep)                                                               \
	X(bootgone)                                                            \
	X(slow)                                                                \
	X(mend)                                                                \
	X(natdrift)                                                            \
	X(reach)                                                               \
	X(streams)                                                             \
	X(streamcut)                                                           \
	X(streammove)                                                          \
	X(streamsleep)                                                         \
	X(streamcrowd)                                                         \
	X(lifetime)                                                            \
	X(liars)                                                               \
	X(replay)                                                              \
	X(connect)                                                             \
	X(cross)                                                               \
	X(crowd)                                                               \
	X(drift)                                                               \
	X(greedy)                                                              \
	X(hangups)                                                             \
	X(handshakes)                                                          \
	X(handshakeflood)                                                      \
	X(relayflood)                                                          \
	X(slowflood)                                                           \
	X(punchflood)                                                          \
	X(lan)                                                                 \
	X(punch)                                                               \
	X(punchgrid)                                                           \
	X(punchstates)                                                         \
	X(onelost)                                                             \
	X(relayfound)                                                          \
	X(relaydies)                                                           \
	X(relaylies)                                                           \
	X(relaysgone)                                                          \
	X(restart)                                                             \
	X(resent)                                                              \
	X(exhaust)                                                             \
	X(reflect)                                                             \
	X(flood)                                                               \
	X(pingflood)                                                           \
	X(poison)                                                              \
	X(eclipse)                                                             \
	X(eclipse24)                                                           \
	X(scale)

#define X(name) extern const struct scenario scenario_##name;
SCENARIO_LIST(X)
#undef X

const struct scenario *const scenarios[] = {
#define X(name) &scenario_##name,
    SCENARIO_LIST(X)
#undef X
};

const uint32_t scenarios_len = sizeof scenarios / sizeof *scenarios;

const struct scenario *
scenario_find(const char *name)
{
	for (uint32_t i = 0; i < scenarios_len; i++)
		if (strcmp(scenarios[i]->name, name) == 0)
			return scenarios[i];
	return NULL;
}
