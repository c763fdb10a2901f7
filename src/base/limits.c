/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <string.h>

#include "base/limits.h"

const struct limit_info limit_table[] = {
#define X(field, name, value, low, high, text)                                 \
	{name, text, value, low, high, offsetof(struct limits, field)},
    LIMIT_LIST(X)
#undef X
};

const unsigned limit_table_len = sizeof limit_table / sizeof *limit_table;

const struct limit_alias limit_aliases[] = {
#define X(old, name) {old, name},
    LIMIT_ALIAS_LIST(X)
#undef X
};

const unsigned limit_aliases_len = sizeof limit_aliases / sizeof *limit_aliases;

const struct limit_info *
limit_find(const char *name)
{
	for (unsigned i = 0; i < limit_aliases_len; i++)
		if (strcmp(limit_aliases[i].old_name, name) == 0)
			name = limit_aliases[i].name;
	for (unsigned i = 0; i < limit_table_len; i++)
		if (strcmp(limit_table[i].name, name) == 0)
			return &limit_table[i];
	return NULL;
}

void
limits_init(struct limits *l)
{
#define X(field, name, value, low, high, text) l->field = (value);
	LIMIT_LIST(X)
#undef X
}
