/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "dhtctl/dhtctl.h"

enum {
	TEXT_LEN = 200,
	MEASURE_S = 360, /* more than --lifetime takes at most */
};

/* The fields as programs read them. */
static const struct column json_lines[] = {
    {"udp", "", UNIT_NONE},
    {"public_address", "", UNIT_NONE},
    {"firewalled", "", UNIT_NONE},
    {"translated", "", UNIT_NONE},
    {"double_nat", "", UNIT_NONE},
    {"private_routers", "", UNIT_NONE},
    {"mapping", "", UNIT_NONE},
    {"filtering", "", UNIT_NONE},
    {"port_kept", "", UNIT_NONE},
    {"port_step", "", UNIT_NONE},
    {"stable", "", UNIT_NONE},
    {"stable_s", "", UNIT_NONE},
    {"address_changes", "", UNIT_NONE},
    {"address_changed_s", "", UNIT_NONE},
    {"lifetime_min_s", "", UNIT_NONE},
    {"lifetime_max_s", "", UNIT_NONE},
    {"lifetime_age_s", "", UNIT_NONE},
    {"keepalive_s", "", UNIT_NONE},
    {"hairpin", "", UNIT_NONE},
    {"ipv6", "", UNIT_NONE},
    {"ipv6_addresses", "", UNIT_NONE},
    {"addresses", "", UNIT_NONE},
    {"samples", "", UNIT_NONE},
    {"advice", "", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

/* The lines on a terminal; those that end in "_text" are made here. */
static const struct column text_lines[] = {
    {"udp", "UDP works", UNIT_NONE},
    {"public_address", "public address", UNIT_NONE},
    {"ipv6_text", "IPv6", UNIT_NONE},
    {"firewalled", "firewalled", UNIT_NONE},
    {"translated_text", "NAT", UNIT_NONE},
    {"mapping", "mapping", UNIT_NONE},
    {"filtering_text", "filtering", UNIT_NONE},
    {"port_kept", "port kept", UNIT_NONE},
    {"port_step", "port step", UNIT_NONE},
    {"stable_text", "stable", UNIT_NONE},
    {"changes_text", "changes", UNIT_NONE},
    {"lifetime_text", "lifetime", UNIT_NONE},
    {"keepalive_text", "keep-alives", UNIT_NONE},
    {"hairpin_text", "hairpinning", UNIT_NONE},
    {"addresses", "external addresses", UNIT_NONE},
    {"samples", "nodes that replied", UNIT_NONE},
    {"advice", "result", UNIT_NONE},
    {NULL, NULL, UNIT_NONE},
};

static long
get_number(const json_t *r, const char *key)
{
	return (long)json_integer_value(json_object_get(r, key));
}

static bool
is_null(const json_t *r, const char *key)
{
	const json_t *j = json_object_get(r, key);

	return j == NULL || json_is_null(j);
}

static bool
is_true(const json_t *r, const char *key)
{
	return json_is_true(json_object_get(r, key));
}

static void
set_text(json_t *r, const char *key, const char *text)
{
	json_object_set_new(r, key, json_string(text));
}

/* Formats an age in the largest unit of which it has two. */
static const char *
format_age(char out[TEXT_LEN], long s)
{
	if (s < 120)
		snprintf(out, TEXT_LEN, "%ld s ago", s);
	else if (s < 7200)
		snprintf(out, TEXT_LEN, "%ld min ago", s / 60);
	else if (s < 172800)
		snprintf(out, TEXT_LEN, "%ld h ago", s / 3600);
	else
		snprintf(out, TEXT_LEN, "%ld days ago", s / 86400);
	return out;
}

static void
describe_addresses(json_t *r)
{
	const json_t *list = json_object_get(r, "ipv6_addresses");
	const char *first = json_string_value(json_array_get(list, 0));
	char text[TEXT_LEN];

	if (first == NULL)
		set_text(r, "ipv6_text", "no public address");
	else if (json_array_size(list) == 1)
		set_text(r, "ipv6_text", first);
	else {
		snprintf(text, sizeof text, "%.60s and %u more", first,
		    (unsigned)json_array_size(list) - 1);
		set_text(r, "ipv6_text", text);
	}
	if (is_null(r, "translated"))
		set_text(
		    r, "translated_text", "not known: no node has replied");
	else
		set_text(r, "translated_text",
		    !is_true(r, "translated")
			? "none: this machine has the public address"
		    : is_true(r, "double_nat")
			? "two in a row, as the routers' addresses suggest"
			: "yes, it translates this machine's address");
}

/* Sets the filtering behaviour, or the reason why it is unknown. */
static void
describe_filtering(json_t *r)
{
	const char *mapping = json_string_value(json_object_get(r, "mapping"));
	const char *filtering =
	    json_string_value(json_object_get(r, "filtering"));
	char text[TEXT_LEN];

	if (filtering == NULL || strcmp(filtering, "unknown") != 0) {
		set_text(
		    r, "filtering_text", filtering != NULL ? filtering : "-");
		return;
	}
	if (!is_true(r, "udp"))
		snprintf(text, sizeof text, "unknown: no node has answered");
	else if (mapping != NULL && strcmp(mapping, "random") == 0)
		snprintf(text, sizeof text,
		    "unknown: the NAT has no constant address to test");
	else
		snprintf(text, sizeof text,
		    "unknown: %ld nodes have answered, and too few others are"
		    " known that could test it",
		    get_number(r, "samples"));
	set_text(r, "filtering_text", text);
}

static void
describe_hairpin(json_t *r)
{
	if (!is_null(r, "hairpin"))
		set_text(
		    r, "hairpin_text", is_true(r, "hairpin") ? "yes" : "no");
	else if (!is_null(r, "translated") && !is_true(r, "translated"))
		set_text(r, "hairpin_text", "not tried: there is no NAT");
	else
		set_text(r, "hairpin_text",
		    "not tried: no constant outer address was found");
}

static void
describe_stability(json_t *r)
{
	long n = get_number(r, "address_changes");
	char text[TEXT_LEN], when[TEXT_LEN];

	if (is_null(r, "stable"))
		set_text(
		    r, "stable_text", "not known: no node has replied twice");
	else {
		snprintf(text, sizeof text,
		    is_true(r, "stable")
			? "yes, the same address and port for %ld s"
			: "no, another address or port within %ld s",
		    get_number(r, "stable_s"));
		set_text(r, "stable_text", text);
	}
	if (n == 0)
		set_text(
		    r, "changes_text", "none since the daemon was started");
	else {
		snprintf(text, sizeof text,
		    "%ld since the daemon was started, the latest %s", n,
		    format_age(when, get_number(r, "address_changed_s")));
		set_text(r, "changes_text", text);
	}
}

static void
describe_lifetime(json_t *r)
{
	long least = get_number(r, "lifetime_min_s");
	long most = get_number(r, "lifetime_max_s");
	char text[TEXT_LEN], when[TEXT_LEN], bounds[TEXT_LEN];

	if (is_null(r, "lifetime_min_s")) {
		set_text(r, "lifetime_text",
		    is_true(r, "firewalled")
			? "not known yet: dhtctl netcheck --lifetime measures"
			  " it in up to 5 minutes"
			: "not known, and not needed: this machine is not"
			  " behind a NAT or firewall");
		return;
	}
	if (least == 0)
		snprintf(bounds, sizeof bounds, "less than %ld s", most);
	else if (most == 0)
		snprintf(bounds, sizeof bounds, "at least %ld s", least);
	else
		snprintf(bounds, sizeof bounds,
		    "at least %ld s, less than %ld s", least, most);
	format_age(when, get_number(r, "lifetime_age_s"));
	snprintf(text, sizeof text, "%.60s, measured %.60s", bounds, when);
	set_text(r, "lifetime_text", text);
}

static void
describe_keepalive(json_t *r)
{
	char text[TEXT_LEN];

	if (!is_null(r, "keepalive_s")) {
		snprintf(text, sizeof text,
		    "every %ld s, as often as this lifetime needs",
		    get_number(r, "keepalive_s"));
		set_text(r, "keepalive_text", text);
	} else if (!is_null(r, "lifetime_min_s"))
		set_text(r, "keepalive_text",
		    "every 3 to 5 s: the NAT's timeout is unusually short; the"
		    " router may have a setting for it");
	else
		set_text(r, "keepalive_text",
		    "every 3 to 5 s, until the lifetime is known");
}

static int
on_silence(void *owner, const json_t *params)
{
	struct ctl *c = owner;

	progress_clear(&c->client.progress);
	print_hint("netcheck",
	    "the mapping still existed after %ld s idle; testing %ld s",
	    get_number(params, "outlived_s"), get_number(params, "next_s"));
	return EXIT_DONE;
}

int
cmd_netcheck(struct ctl *c, char **argv)
{
	const struct api_client_notes notes = {.note = on_silence, .owner = c};
	bool on_terminal = c->print.format == PRINT_TEXT && c->print.terminal;
	json_t *params = json_object(), *result;
	int code;

	(void)argv;
	if (c->given & OPT_LIFETIME) {
		json_object_set_new(params, "lifetime", json_true());
		if (!(c->given & OPT_TIMEOUT))
			c->client.timeout_s = MEASURE_S;
	}
	code = api_client_call(
	    &c->client, API_METHOD_netcheck, params, &notes, &result);
	if (code == EXIT_DONE && on_terminal) {
		describe_addresses(result);
		describe_filtering(result);
		describe_hairpin(result);
		describe_stability(result);
		describe_lifetime(result);
		describe_keepalive(result);
	}
	if (code == EXIT_DONE)
		print_object(
		    &c->print, result, on_terminal ? text_lines : json_lines);
	if (code == EXIT_DONE && !is_true(result, "udp")) {
		print_error("netcheck", "UDP does not get through");
		code = EXIT_UNREACHABLE;
	}
	json_decref(result);
	return code;
}
