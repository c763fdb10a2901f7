/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "dhtctl/dhtctl.h"
#include "dhtctl/reason.h"

/* The results of a dial, see peer/dialer.h. */
static const struct reason reasons[] = {
    {ERR_VALUE, EXIT_USAGE, "it is not a valid public key"},
    {ERR_NOT_FOUND, EXIT_NOT_FOUND,
	"no node knows this key; is it complete, and does its owner listen?"},
    {ERR_UNREACHABLE, EXIT_UNREACHABLE,
	"is this machine online? See `dhtctl status`"},
    {ERR_PEER_VERSION, EXIT_VERSION,
	"the two ends speak different versions; the older one needs an"
	" update"},
    {ERR_PEER_REFUSED, EXIT_REFUSED,
	"the owner of the key does not admit your key"},
    {ERR_PEER_BUSY, EXIT_FAILED, "try again in half a minute"},
    {ERR_NO_ANSWER, EXIT_NO_ANSWER,
	"it may have gone offline a moment ago, or it does not admit your"
	" key, which `dhtctl key` shows"},
    {ERR_TIMEOUT, EXIT_TIMEOUT,
	"`dhtctl explain` shows how far the attempt got; --timeout sets a"
	" longer limit"},
    {ERR_NO_PATH, EXIT_NO_PATH,
	"firewalls on both sides drop the packets; `dhtctl explain` shows"
	" what was tried"},
    {ERR_PUNCH, EXIT_NO_PATH, "`dhtctl explain` shows what was tried"},
    {ERR_NAT_UNKNOWN, EXIT_NO_PATH,
	"try again; `dhtctl explain` shows details"},
    {ERR_NAT_RANDOM, EXIT_NO_PATH,
	"one of the two peers needs a network that can be reached from"
	" outside"},
    {ERR_ABORTED, EXIT_NO_PATH, "`dhtctl explain` shows what was tried"},
    {ERR_RELAY_UNREACHABLE, EXIT_NO_PATH,
	"no direct path was found, and the relay that was named is offline"},
    {ERR_RELAY_REFUSED, EXIT_NO_PATH,
	"no direct path was found, and the node that was named as relay has"
	" refused to forward"},
    {ERR_RELAY_FULL, EXIT_NO_PATH,
	"no direct path was found, and the relay has no place left; try again"
	" in a minute"},
    {ERR_RELAY_SPENT, EXIT_NO_PATH,
	"no direct path was found, and the relay has spent its volume; name"
	" another one"},
    {ERR_RELAY_TIMEOUT, EXIT_NO_PATH,
	"no direct path was found, and the peer did not connect to the relay"},
    {ERR_RELAY_LOST, EXIT_LOST, "connect again"},
    {ERR_RESET, EXIT_LOST, "the connection was lost"},
    {ERR_IDLE, EXIT_LOST, "--idle of `dhtctl listen` closed it"},
};

const struct reason *
reason_find(const char *name)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		if (strcmp(err_name(reasons[i].err), name) == 0)
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
