/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include <sodium.h>

#include "world/mem.h"
#include "sim/scenario.h"

static void
list(void)
{
	for (uint32_t i = 0; i < scenarios_len; i++)
		printf("%-11s nodes %4u, at least %3u; minutes %3u: %s\n",
		    scenarios[i]->name, scenarios[i]->nodes,
		    scenarios[i]->nodes_min, scenarios[i]->minutes,
		    scenarios[i]->text);
}

int
main(int argc, char **argv)
{
	struct sim_options o;
	struct sim s;
	uint32_t failed;

	mem_prepare();
	options_read(&o, argc, argv);
	if (o.list) {
		list();
		return 0;
	}
	if (sodium_init() < 0)
		return 2;
	sim_init(&s, &o);
	o.scenario->run(&s);
	sim_quiesce(&s);
	check_all(&s);
	report_print(&s);
	failed = s.failed;
	sim_fini(&s);
	return failed == 0 ? 0 : 1;
}
