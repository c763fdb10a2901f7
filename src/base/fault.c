/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "base/fault.h"

int
fault_set(struct fault *f, int err, const char *fmt, ...)
{
	va_list ap;

	f->err = err;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	return err;
}

int
fault_set_code(struct fault *f, int err)
{
	return fault_set(f, err, "%s", err_text(err));
}
