/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "base/limits.h"

const struct limit_info limit_table[] = {
#define X(field, name, value, low, high, text)                                 \
	{name, text, value, low, high, offsetof(struct limits, field)},
    LIMIT_LIST(X)
#undef X
};

const unsigned limit_table_len = sizeof limit_table / sizeof *limit_table;

void
limits_init(struct limits *l)
{
#define X(field, name, value, low, high, text) l->field = (value);
	LIMIT_LIST(X)
#undef X
}
