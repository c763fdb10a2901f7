/* SPDX-License-Identifier: ISC */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/bootstrap.h"

/* Published by the operators of the public network; protocol 01 §13. */
const char *const bootstrap_public[3] = {
    "88.99.3.86@node1.hyperdht.org:49737",
    "142.93.90.113@node2.hyperdht.org:49737",
    "138.68.147.8@node3.hyperdht.org:49737",
};

static int
parse_port(uint16_t *port, const char *text)
{
	char *end;
	long v;

	if (*text < '0' || *text > '9')
		return ERR_MALFORMED;
	v = strtol(text, &end, 10);
	if (*end != '\0' || v < 1 || v > UINT16_MAX)
		return ERR_MALFORMED;
	*port = (uint16_t)v;
	return 0;
}

/* Returns true if the text has the form of a host name, RFC 1123. */
static bool
name_is_valid(const char *s, size_t len)
{
	if (len == 0 || len >= BOOTSTRAP_NAME_MAX || s[0] == '.' || s[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (strchr(
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			"0123456789.-_",
			s[i]) == NULL)
			return false;
	return true;
}

/* Parses an IPv4 address without a port. */
static int
parse_ip(struct addr *a, const char *text, size_t len)
{
	char buf[ADDR_TEXT_MAX];

	if (len == 0 || len >= sizeof buf)
		return ERR_MALFORMED;
	memcpy(buf, text, len);
	buf[len] = '\0';
	if (addr_parse(a, buf, 0) != 0 || a->family != ADDR_V4)
		return ERR_MALFORMED;
	return 0;
}

/* Parses "ip", "name" or "ip@name" of len bytes. */
static int
parse_host(struct bootstrap_entry *e, const char *text, size_t len)
{
	const char *at = memchr(text, '@', len);
	const char *name = at != NULL ? at + 1 : text;
	size_t name_len = len - (size_t)(name - text);

	if (at != NULL && parse_ip(&e->addr, text, (size_t)(at - text)) != 0)
		return ERR_MALFORMED;
	if (at == NULL && parse_ip(&e->addr, text, len) == 0)
		return 0;
	if (!name_is_valid(name, name_len))
		return ERR_MALFORMED;
	memcpy(e->name, name, name_len);
	return 0;
}

int
bootstrap_parse(struct bootstrap_entry *e, const char *text)
{
	struct bootstrap_entry out = {0};
	const char *colon = strchr(text, ':');

	/* QUIRK: the reference reads "a:b:c" as port NaN; we reject it. */
	if (colon == NULL) {
		if (parse_port(&out.port, text) != 0)
			return ERR_MALFORMED;
		out.addr = addr_v4(127, 0, 0, 1, 0);
	} else if (parse_port(&out.port, colon + 1) != 0 ||
		   parse_host(&out, text, (size_t)(colon - text)) != 0) {
		return ERR_MALFORMED;
	}
	if (out.addr.family != ADDR_NONE)
		out.addr.port = out.port;
	*e = out;
	return 0;
}
