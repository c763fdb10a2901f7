/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "dhtctl/dhtctl.h"
#include "dhtctl/reason.h"

static const struct reason reasons[] = {
    {"not-found", EXIT_NOT_FOUND,
	"no node knows this key; is it complete, and does its owner listen?"},
    {"unreachable", EXIT_UNREACHABLE,
	"is this machine online? `dhtctl status` tells"},
    {"version", EXIT_VERSION,
	"the two ends speak different versions; the older one needs an"
	" update"},
    {"refused", EXIT_REFUSED, "the owner of the key does not let you in"},
    {"no-answer", EXIT_NO_ANSWER,
	"it may have gone a moment ago, or its list does not name your key,"
	" which `dhtctl key` shows"},
    {"timeout", EXIT_TIMEOUT,
	"`dhtctl explain` tells how far it came, and --timeout gives it"
	" longer"},
    {"no-path", EXIT_NO_PATH,
	"firewalls on both sides let nothing through; `dhtctl explain` tells"
	" what was tried"},
    {"reset", EXIT_LOST, "the connection was lost"},
};

const struct reason *
reason_find(const char *name)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		if (strcmp(reasons[i].name, name) == 0)
			return &reasons[i];
	}
	return NULL;
}

const char *
reason_text(const char *name)
{
	for (int err = 0; err > -ERR_INDEX_MAX; err--) {
		if (strcmp(err_name(err), name) == 0)
			return err_text(err);
	}
	return name;
}
