/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "base/stats.h"

const struct stat_info stat_table[] = {
#define X(field, text) {#field, text, offsetof(struct stats, field)},
    STAT_LIST(X)
#undef X
};

const unsigned stat_table_len = sizeof stat_table / sizeof *stat_table;
