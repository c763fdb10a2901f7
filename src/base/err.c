/* SPDX-License-Identifier: ISC */
#include "base/err.h"

static const struct {
	const char *name, *text;
} errs[] = {{"ok", "done"},
#define X(code, name, text) {name, text},
    ERR_LIST(X)
#undef X
};

const char *
err_name(int err)
{
	if (err > 0 || err <= -ERR_INDEX_MAX)
		return "other";
	return errs[-err].name;
}

const char *
err_text(int err)
{
	if (err > 0 || err <= -ERR_INDEX_MAX)
		return "an unnamed error";
	return errs[-err].text;
}
