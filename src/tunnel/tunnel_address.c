/* SPDX-License-Identifier: ISC */
#include "tunnel/tunnel_address.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/fault.h"

static bool
is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

void
tunnel_address_set(struct tunnel_address *a, const struct addr *addr)
{
	*a = (struct tunnel_address){.addr = *addr};
	addr_format(addr, a->text);
}

static int
parse_path(struct tunnel_address *a, const char *path, struct fault *f)
{
	static_assert(
	    sizeof((struct sockaddr_un *)NULL)->sun_path == TUNNEL_ADDRESS_MAX,
	    "a path fits in a socket address");
	if (strlen(path) >= sizeof a->text || !is_printable(path))
		return fault_set(f, ERR_VALUE,
		    "the path of a UNIX socket is up to %zu printable"
		    " characters long",
		    sizeof a->text - 1);
	*a = (struct tunnel_address){.addr.family = ADDR_NONE};
	memcpy(a->text, path, strlen(path) + 1);
	return 0;
}

/* Reads a port alone, or one of localhost. */
static bool
parse_port(const char *text, struct addr *out)
{
	static const char local[] = "localhost:";
	unsigned long port;
	size_t len;

	if (strncmp(text, local, sizeof local - 1) == 0)
		text += sizeof local - 1;
	len = strlen(text);
	if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
		return false;
	port = strtoul(text, NULL, 10);
	*out = addr_v4(127, 0, 0, 1, (uint16_t)port);
	return port <= UINT16_MAX;
}

/* Reads HOST:PORT. The host alone is not enough. */
static bool
parse_host_port(const char *text, struct addr *out)
{
	return addr_parse(out, text, 0) == 0 && out->port != 0;
}

int
tunnel_address_parse(
    struct tunnel_address *a, const char *text, struct fault *f)
{
	struct addr addr;

	if (text[0] == '/')
		return parse_path(a, text, f);
	if (!parse_port(text, &addr) && !parse_host_port(text, &addr))
		return fault_set(f, ERR_VALUE,
		    "\"%.60s\" is not " TUNNEL_ADDRESS_FORMS, text);
	tunnel_address_set(a, &addr);
	return 0;
}

int
tunnel_address_check_target(const struct tunnel_address *a, struct fault *f)
{
	if (a->addr.family == ADDR_NONE)
		return 0;
	if (a->addr.port == 0 || addr_scope(&a->addr) == ADDR_UNUSABLE)
		return fault_set(f, ERR_VALUE,
		    "%s is no address that a service can be reached at",
		    a->text);
	return 0;
}
