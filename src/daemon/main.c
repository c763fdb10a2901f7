/* SPDX-License-Identifier: ISC */
#include <config.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/api.h"
#include "config/options.h"
#include "daemon/daemon.h"
#include "log/log.h"
#include "log/stdio_fds.h"

/* Loads the configuration. Returns DAEMON_OK, or the exit code with the cause
 * logged. */
static int
load_config(const struct options *o, struct config *c)
{
	enum options_place place;
	struct fault f;

	if (options_load(o, c, &place, &f) == 0)
		return DAEMON_OK;
	log_error("%s", f.text);
	return place == PLACE_COMMAND ? DAEMON_USAGE : DAEMON_BAD_CONFIG;
}

static int
check_config(const struct options *o)
{
	struct config c;
	int rc = load_config(o, &c);

	if (rc != DAEMON_OK)
		return rc;
	config_fini(&c);
	printf("the configuration is good\n");
	return DAEMON_OK;
}

/* Raises the limit of descriptors: punching from behind a random NAT opens
 * hundreds of sockets. */
static void
raise_descriptors(void)
{
	struct rlimit max;

	if (getrlimit(RLIMIT_NOFILE, &max) != 0)
		return;
	max.rlim_cur = max.rlim_max;
	setrlimit(RLIMIT_NOFILE, &max);
}

static int
run(const struct options *o)
{
	struct config c;
	int rc = load_config(o, &c);

	if (rc != DAEMON_OK)
		return rc;
	/* Prevents core dumps and debuggers of the same user: the process
	 * holds the private key. */
	prctl(PR_SET_DUMPABLE, 0);
	/* A write to a client that has gone then fails with EPIPE. */
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	if (sodium_init() < 0) {
		log_error("libsodium cannot be initialised: the system has no "
			  "source of randomness");
		config_fini(&c);
		return DAEMON_FAILED;
	}
	return daemon_run(o, &c);
}

int
main(int argc, char **argv)
{
	struct options o;
	struct fault f;

	if (!stdio_fds_open_missing())
		return DAEMON_FAILED;
	log_init();
	if (options_parse(&o, argc, argv, &f) != 0) {
		log_error("%s", f.text);
		return DAEMON_USAGE;
	}
	switch (o.action) {
	case OPTIONS_CHECK_CONFIG:
		return check_config(&o);
	case OPTIONS_VERSION:
		printf("hyperdhtd %s\n", PACKAGE_VERSION);
		return DAEMON_OK;
	case OPTIONS_HELP:
		options_help();
		return DAEMON_OK;
	case OPTIONS_RUN:
		break;
	}
	return run(&o);
}
