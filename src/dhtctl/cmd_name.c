/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "dhtctl/dhtctl.h"

static const struct column nothing[] = {{NULL, NULL, UNIT_NONE}};

int
cmd_name(struct ctl *c, char **argv)
{
	bool add = strcmp(argv[0], "add") == 0;

	if (!add && strcmp(argv[0], "remove") != 0)
		return usage_error(
		    "name", "\"%.60s\" is neither add nor remove", argv[0]);
	if (add != (argv[2] != NULL))
		return usage_error(
		    "name", add ? "add needs the NAME and the KEY of a peer"
				: "remove takes the NAME alone");
	if (add)
		return call_and_print(c, API_METHOD_name_add,
		    json_pack(
			"{s:s, s:s}", "name", argv[1], "public_key", argv[2]),
		    nothing);
	return call_and_print(c, API_METHOD_name_remove,
	    json_pack("{s:s}", "name", argv[1]), nothing);
}

static const struct column name_columns[] = {
    {"name", "NAME", UNIT_NONE},
    {"public_key", "PUBLIC KEY", UNIT_NONE},
    {"owner", "GIVEN BY", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

int
cmd_names(struct ctl *c, char **argv)
{
	(void)argv;
	return call_and_print_pages(
	    c, API_METHOD_names, "names", name_columns, NULL);
}
