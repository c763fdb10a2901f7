/* SPDX-License-Identifier: ISC */
#include <config.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "api/api.h"
#include "config/options.h"
#include "daemon/daemon.h"
#include "log/log.h"

/* The configuration, or the exit code that its absence calls for. */
static int
load(const struct options *o, struct config *c)
{
	char err[ERR_REASON_MAX];
	int rc = options_load(o, c, err);

	if (rc == 0)
		return DAEMON_OK;
	log_error("%s", err);
	return rc == FAULT_COMMAND ? DAEMON_USAGE : DAEMON_BAD_CONFIG;
}

static int
check_config(const struct options *o)
{
	struct config c;
	int rc = load(o, &c);

	if (rc != DAEMON_OK)
		return rc;
	config_fini(&c);
	printf("the configuration is good\n");
	return DAEMON_OK;
}

/* Hole punching behind a random NAT takes hundreds of sockets. */
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
	int rc = load(o, &c);

	if (rc != DAEMON_OK)
		return rc;
	/* No core dump and no debugger of the same user: the key is in here. */
	prctl(PR_SET_DUMPABLE, 0);
	/* A client that goes while it is written to is an error code. */
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	if (sodium_init() < 0) {
		log_error("no source of randomness");
		config_fini(&c);
		return DAEMON_FAILED;
	}
	return daemon_run(o, &c);
}

int
main(int argc, char **argv)
{
	struct options o;
	char err[ERR_REASON_MAX];

	log_init();
	if (options_parse(&o, argc, argv, err) != 0) {
		log_error("%s", err);
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
