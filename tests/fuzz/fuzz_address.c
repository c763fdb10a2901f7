/* SPDX-License-Identifier: ISC */
/* Parses addresses and entries of the bootstrap list, as users write them. */
#include "dht/bootstrap.h"
#include "fuzz.h"

static void
try_addr(const char *text)
{
	struct addr a, again;
	char out[ADDR_TEXT_MAX];

	if (addr_parse(&a, text, 49737) != 0)
		return;
	MUST(a.port != 0);
	MUST(addr_parse(&again, addr_format(&a, out), 0) == 0);
	MUST(addr_equal(&a, &again));
}

static void
try_entry(const char *text)
{
	struct bootstrap_entry e;

	if (bootstrap_parse(&e, text) != 0)
		return;
	MUST(e.port != 0);
	MUST(memchr(e.name, '\0', sizeof e.name) != NULL);
	MUST(e.name[0] != '\0' || e.addr.family != ADDR_NONE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	MUST(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	try_addr(text);
	try_entry(text);
	free(text);
	return 0;
}
