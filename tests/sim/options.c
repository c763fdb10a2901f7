/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <inttypes.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "sim/scenario.h"

enum { USAGE = 2 };

/* All numeric options: name, member and unit. */
static const struct number {
	const char *name, *text;
	size_t at;
	uint32_t unit;     /* in the struct, per 1 on the command line */
	uint32_t decimals; /* allowed */
} numbers[] = {
#define AT(field) offsetof(struct sim_options, field)
    {"nodes", "nodes in the network", AT(nodes), 1, 0},
    {"minutes", "virtual minutes", AT(minutes), 1, 0},
    {"hours", "virtual hours", AT(minutes), 60, 1},
    {"amount", "quantity whose meaning depends on the scenario", AT(amount), 1,
	0},
    {"loss", "datagrams lost, %", AT(faults.loss_ppm), 10000, 4},
    {"double", "datagrams duplicated, %", AT(faults.double_ppm), 10000, 4},
    {"overtake", "datagrams overtaken, %", AT(faults.overtake_ppm), 10000, 4},
    {"overtake-ms", "maximum delay of those, ms", AT(faults.overtake_us), 1000,
	3},
    {"jitter", "mean jitter, ms", AT(faults.jitter_us), 1000, 3},
    {"delay", "one-way delay of every path, ms; 0: by geography",
	AT(faults.flat_us), 1000, 3},
    {"full", "sends refused by a full batch, per mille", AT(full_permille), 1,
	0},
#undef AT
};

enum { NUMBERS = sizeof numbers / sizeof *numbers };

static void
usage(void)
{
	fprintf(stderr,
	    "usage: hyperdht-sim --scenario NAME [--seed N] [--json] "
	    "[--quiet] [--stats]\n"
	    "       hyperdht-sim --list\n");
	for (int i = 0; i < NUMBERS; i++)
		fprintf(
		    stderr, "  --%-12s %s\n", numbers[i].name, numbers[i].text);
	exit(USAGE);
}

static uint32_t *
field(struct sim_options *o, const struct number *n)
{
	return (uint32_t *)(void *)((char *)o + n->at);
}

/* Parses decimal text and multiplies it by the unit, without floating point. */
static bool
parse(const char *text, const struct number *n, uint32_t *out)
{
	uint64_t whole = 0, part = 0, scale = 1;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && whole < UINT32_MAX; p++)
		whole = whole * 10 + (uint64_t)(*p - '0');
	if (p == text)
		return false;
	if (*p == '.' && n->decimals > 0)
		for (p++; *p >= '0' && *p <= '9' && scale < 10000; p++) {
			part = part * 10 + (uint64_t)(*p - '0');
			scale *= 10;
		}
	whole = whole * n->unit + part * n->unit / scale;
	*out = (uint32_t)whole;
	return *p == '\0' && whole <= UINT32_MAX;
}

static uint64_t
parse_seed(const char *text)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0')
		usage();
	return v;
}

void
options_for(struct sim_options *o, const struct scenario *sc)
{
	o->scenario = sc;
	o->nodes = sc->nodes;
	o->minutes = sc->minutes;
	o->amount = sc->amount;
	o->faults = (struct faults){.jitter_us = 2000};
	if (sc->setup != NULL)
		sc->setup(o);
}

enum {
	OPT_SCENARIO = NUMBERS,
	OPT_SEED,
	OPT_JSON,
	OPT_QUIET,
	OPT_STATS,
	OPT_LIST,
	OPT_END,
};

static void
fill(struct option *list)
{
	static const struct option fixed[] = {
	    {"scenario", required_argument, NULL, OPT_SCENARIO},
	    {"seed", required_argument, NULL, OPT_SEED},
	    {"json", no_argument, NULL, OPT_JSON},
	    {"quiet", no_argument, NULL, OPT_QUIET},
	    {"stats", no_argument, NULL, OPT_STATS},
	    {"list", no_argument, NULL, OPT_LIST},
	    {NULL, 0, NULL, 0},
	};

	for (int i = 0; i < NUMBERS; i++)
		list[i] = (struct option){
		    numbers[i].name, required_argument, NULL, i};
	memcpy(list + NUMBERS, fixed, sizeof fixed);
}

static void
take(struct sim_options *o, int c, const char *arg)
{
	if (c >= 0 && c < NUMBERS) {
		if (!parse(arg, &numbers[c], field(o, &numbers[c])))
			usage();
	} else if (c == OPT_SEED)
		o->seed = parse_seed(arg);
	else if (c == OPT_JSON)
		o->json = true;
	else if (c == OPT_QUIET)
		o->quiet = true;
	else if (c == OPT_STATS)
		o->stats = true;
	else if (c == OPT_LIST)
		o->list = true;
	else if (c != OPT_SCENARIO)
		usage();
}

/* Refuses a size that is too small for the checks of the scenario, or by which
 * it could not divide. */
static void
check_least(const char *name, uint32_t value, uint32_t least)
{
	if (value >= least)
		return;
	fprintf(stderr,
	    "hyperdht-sim: this scenario needs --%s of at least %" PRIu32 "\n",
	    name, least);
	exit(USAGE);
}

static void
check_sizes(const struct sim_options *o)
{
	const struct scenario *sc = o->scenario;

	check_least("nodes", o->nodes, sc->nodes_min);
	check_least("minutes", o->minutes, sc->minutes > 0);
	check_least("amount", o->amount, sc->amount > 0);
}

/* Handles the scenario first: it sets what the other options change. */
void
options_read(struct sim_options *o, int argc, char **argv)
{
	struct option list[OPT_END + 1];
	int c;

	fill(list);
	*o = (struct sim_options){.seed = 1};
	while ((c = getopt_long(argc, argv, "", list, NULL)) != -1) {
		if (c != OPT_SCENARIO)
			continue;
		if (scenario_find(optarg) == NULL) {
			fprintf(stderr,
			    "hyperdht-sim: no scenario \"%s\"; --list names "
			    "them\n",
			    optarg);
			exit(USAGE);
		}
		options_for(o, scenario_find(optarg));
	}
	for (optind = 1; (c = getopt_long(argc, argv, "", list, NULL)) != -1;)
		take(o, c, optarg);
	if (optind != argc || (o->scenario == NULL && !o->list))
		usage();
	if (!o->list)
		check_sizes(o);
}

/* Prints only what differs from the scenario's own setting. */
void
options_print(const struct sim_options *o, FILE *to)
{
	struct sim_options usual = *o;

	options_for(&usual, o->scenario);
	usual.full_permille = 0;
	fprintf(to, "hyperdht-sim --scenario %s --seed %" PRIu64,
	    o->scenario->name, o->seed);
	for (int i = 0; i < NUMBERS; i++) {
		struct sim_options mine = *o;
		uint32_t v = *field(&mine, &numbers[i]);

		if (v == *field(&usual, &numbers[i]) || i == 2)
			continue;
		if (numbers[i].decimals > 0)
			fprintf(to, " --%s %" PRIu32 ".%04" PRIu64,
			    numbers[i].name, v / numbers[i].unit,
			    (uint64_t)(v % numbers[i].unit) * 10000 /
				numbers[i].unit);
		else
			fprintf(to, " --%s %" PRIu32, numbers[i].name,
			    v / numbers[i].unit);
	}
	fprintf(to, "\n");
}
