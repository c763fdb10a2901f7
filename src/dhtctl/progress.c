/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <unistd.h>

#include "dhtctl/progress.h"

void
progress_init(struct progress *p, const char *what, bool wanted)
{
	*p = (struct progress){
	    .what = what, .wanted = wanted && isatty(STDERR_FILENO)};
}

void
progress_show(struct progress *p, uint64_t elapsed_ms, unsigned found)
{
	if (!p->wanted)
		return;
	fprintf(stderr, "\r%c %s: %u.%u s", "|/-\\"[p->frame++ % 4], p -> what,
	    (unsigned)(elapsed_ms / 1000), (unsigned)(elapsed_ms % 1000 / 100));
	if (found > 0)
		fprintf(stderr, ", %u found", found);
	fputs("\033[K", stderr);
	p->shown = true;
}

void
progress_clear(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
