/* SPDX-License-Identifier: ISC */
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"

static void
wipe_and_free(void *p)
{
	if (p == NULL)
		return;
	sodium_memzero(p, malloc_usable_size(p));
	free(p);
}

void
api_init(void)
{
	json_set_alloc_funcs(malloc, wipe_and_free);
}

const struct api_event_info api_events[API_EVENTS] = {
    [API_EV_BOOTSTRAPPED] = {"bootstrapped", "found its place in the network"},
    [API_EV_PERSISTENT] = {"persistent", "became persistent"},
    [API_EV_EPHEMERAL] = {"ephemeral", "became ephemeral again"},
    [API_EV_ADDRESS] = {"address", "the public address changed"},
    [API_EV_HEALTH] = {"health", "other nodes answer better or worse"},
    [API_EV_WAKEUP] = {"wakeup", "woke up from sleep"},
    [API_EV_ANNOUNCED] = {"announced", "a topic was announced again"},
    [API_EV_LISTENING] = {"listening", "other nodes forward to a listener"},
    [API_EV_STOPPING] = {"stopping", "the daemon is leaving"},
};

int
api_event_find(const char *name)
{
	for (int i = 0; i < API_EVENTS; i++) {
		if (strcmp(api_events[i].name, name) == 0)
			return i;
	}
	return -1;
}

const struct api_code_info api_codes[] = {
    {API_ERR_PARSE, "the line is not JSON, too long or nested too deep"},
    {API_ERR_REQUEST, "the line is JSON, but not a request"},
    {API_ERR_METHOD, "there is no such method"},
    {API_ERR_PARAMS, "a parameter will not do; data: param, problem, expected"},
    {API_ERR_FAILED, "the operation failed; data: err_name, err_text"},
    {API_ERR_DENIED, "the caller may not do this; data: need, have"},
    {API_ERR_LIMIT, "too many requests of this client are under way, or too "
		    "many clients connected"},
};

const unsigned api_codes_len = sizeof api_codes / sizeof *api_codes;

const char *
api_access_name(enum api_access a)
{
	static const char *const names[] = {"nobody", "read", "user", "admin"};

	return names[a];
}

static const struct {
	const char *name, *text;
} types[] = {
    [API_TEXT] = {"text", "a string"},
    [API_UINT] = {"uint", "an integer from 0, at most 2^53 - 1"},
    [API_BOOL] = {"bool", "true or false"},
    [API_KEY] = {"key",
	"a public key, 52 characters of z-base-32 or 64 hex digits"},
    [API_HASH] = {"hash",
	"32 bytes, 64 hex digits or 52 characters of z-base-32"},
    [API_TOPIC] = {"topic", "64 hex digits, or any text that is not empty"},
    [API_ADDR] = {"address", "an address and port such as 192.0.2.1:49737"},
    [API_B64] = {"base64", "base64 with padding, of 1 to 1000 bytes"},
    [API_KEYS] = {"keys", "an array of at most 64 public keys"},
    [API_ADDRS] = {"addresses", "an array of at most 8 addresses"},
    [API_ID] = {"id", "an integer, or a string of 128 bytes at most"},
    [API_LIST] = {"list", "an array"},
    [API_OBJECT] = {"object", "an object"},
};

const char *
api_type_name(enum api_type t)
{
	return types[t].name;
}

const char *
api_type_text(enum api_type t)
{
	return types[t].text;
}
