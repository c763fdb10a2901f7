/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api/api_request.h"
#include "api/text.h"
#include "base/err.h"
#include "base/wire.h"

/* ---- values ---- */

static int
read_addr(struct addr *a, const char *text)
{
	return addr_parse(a, text, 0) == 0 && addr_usable(a) ? 0
							     : ERR_MALFORMED;
}

static int
parse_bytes(struct api_request *rq, struct api_value *v)
{
	int err;

	if (*v->text == '\0')
		return ERR_MALFORMED;
	assert(sizeof rq->bytes - rq->bytes_len >= API_VALUE_MAX);
	err = text_b64_parse(
	    rq->bytes + rq->bytes_len, API_VALUE_MAX, &v->bytes_len, v->text);
	if (err != 0)
		return err;
	v->bytes = rq->bytes + rq->bytes_len;
	rq->bytes_len += v->bytes_len;
	return 0;
}

/* Reads a string. Returns 0 or a negative code. */
static int
parse_text(
    struct api_request *rq, struct api_value *v, const struct api_field *p)
{
	switch (p->type) {
	case API_TEXT:
		return 0;
	case API_KEY:
	case API_HASH:
		return text_key_parse(v->key, v->text);
	case API_TOPIC:
		return text_topic_parse(v->key, v->text);
	case API_ADDR:
		return read_addr(&v->addr, v->text);
	case API_B64:
		return parse_bytes(rq, v);
	default:
		return ERR_MALFORMED;
	}
}

static int
parse_uint(struct api_value *v, const struct api_field *p, const json_t *j)
{
	uint64_t max = p->max != 0 ? p->max : WIRE_UINT_MAX;
	json_int_t n = json_integer_value(j);

	if (!json_is_integer(j) || n < 0 || (uint64_t)n > max)
		return ERR_MALFORMED;
	v->uint = (uint64_t)n;
	return 0;
}

static int
parse_list(struct api_value *v, const struct api_field *p, const json_t *j)
{
	size_t max = p->type == API_KEYS ? API_KEYS_MAX : API_ADDRS_MAX;
	uint8_t key[TEXT_KEY_LEN];
	struct addr a;

	if (json_array_size(j) > max)
		return ERR_SIZE;
	for (size_t i = 0; i < json_array_size(j); i++) {
		const char *text = json_string_value(json_array_get(j, i));

		if (text == NULL ||
		    (p->type == API_KEYS ? text_key_parse(key, text)
					 : read_addr(&a, text)) != 0)
			return ERR_MALFORMED;
	}
	v->list = j;
	return json_is_array(j) ? 0 : ERR_MALFORMED;
}

static bool
id_is_good(const json_t *j)
{
	return json_is_integer(j) ||
	       (json_is_string(j) && json_string_length(j) <= API_ID_TEXT_MAX);
}

static int
parse_value(struct api_request *rq, struct api_value *v,
    const struct api_field *p, const json_t *j)
{
	v->set = true;
	switch (p->type) {
	case API_UINT:
		return parse_uint(v, p, j);
	case API_BOOL:
		v->yes = json_is_true(j);
		return json_is_boolean(j) ? 0 : ERR_MALFORMED;
	case API_KEYS:
	case API_ADDRS:
		return parse_list(v, p, j);
	case API_ID:
		v->id = j;
		return id_is_good(j) ? 0 : ERR_MALFORMED;
	default:
		v->text = json_string_value(j);
		return v->text != NULL ? parse_text(rq, v, p) : ERR_MALFORMED;
	}
}

/* ---- parameters ---- */

static int
set_unknown_error(
    struct api_error *e, const struct api_method *m, const char *name)
{
	char expected[240] = "no parameter at all", shown[41];
	size_t len = 0;

	snprintf(shown, sizeof shown, "%s", name);
	for (const struct api_field *p = m->params; p->name != NULL; p++)
		len += (size_t)snprintf(expected + len, sizeof expected - len,
		    "%s%s", len > 0 ? " or " : "", p->name);
	return api_error_param(e, shown, "is not known", expected);
}

static bool
has_param(const struct api_method *m, const char *name)
{
	for (const struct api_field *p = m->params; p->name != NULL; p++) {
		if (strcmp(p->name, name) == 0)
			return true;
	}
	return false;
}

static int
set_value_error(
    struct api_error *e, const struct api_field *p, const char *problem)
{
	char range[64];

	if (p->max == 0)
		return api_error_param(
		    e, p->name, problem, api_type_text(p->type));
	snprintf(
	    range, sizeof range, "an integer from 0 to %ju", (uintmax_t)p->max);
	return api_error_param(e, p->name, problem, range);
}

/* Returns whether the text is ASCII that a terminal does not interpret. */
static bool
is_printable(const char *text)
{
	while (*text > ' ' && *text < 0x7f)
		text++;
	return *text == '\0';
}

/* Returns the first element of a list that is not a key, or the length. */
static size_t
find_bad_key(const json_t *j)
{
	uint8_t key[TEXT_KEY_LEN];
	size_t i = 0;

	for (; i < json_array_size(j); i++) {
		const char *text = json_string_value(json_array_get(j, i));

		if (text == NULL || text_key_parse(key, text) != 0)
			break;
	}
	return i;
}

/* Says which key of a list is wrong, and why. */
static int
set_list_error(struct api_error *e, const struct api_field *p, const json_t *j)
{
	size_t i = find_bad_key(j);
	const char *text = json_string_value(json_array_get(j, i));
	char problem[TEXT_PROBLEM_MAX + 96], what[TEXT_PROBLEM_MAX];

	if (text == NULL)
		return set_value_error(e, p, "is not valid");
	text_key_problem(what, text);
	snprintf(problem, sizeof problem, "is not valid in key %zu%s%.20s%s%s",
	    i + 1, is_printable(text) ? ", \"" : "",
	    is_printable(text) ? text : "", is_printable(text) ? "\"" : "",
	    what);
	return set_value_error(e, p, problem);
}

/* Says of a key what is wrong with it. */
static int
set_invalid_error(
    struct api_error *e, const struct api_field *p, const json_t *j)
{
	char problem[TEXT_PROBLEM_MAX + 16], what[TEXT_PROBLEM_MAX] = "";

	if (p->type == API_KEYS && json_is_array(j))
		return set_list_error(e, p, j);
	if ((p->type == API_KEY || p->type == API_HASH) && json_is_string(j))
		text_key_problem(what, json_string_value(j));
	snprintf(problem, sizeof problem, "is not valid%s", what);
	return set_value_error(e, p, problem);
}

static int
check_param(
    struct api_request *rq, struct api_error *e, unsigned i, const json_t *j)
{
	const struct api_field *p = &rq->method->params[i];

	if (j == NULL)
		return p->required ? set_value_error(e, p, "is missing") : 0;
	switch (parse_value(rq, &rq->values[i], p, j)) {
	case 0:
		return 0;
	case ERR_SIZE:
		return set_value_error(e, p, "is too long");
	default:
		return set_invalid_error(e, p, j);
	}
}

static int
check_params(struct api_request *rq, struct api_error *e)
{
	json_t *params = json_object_get(rq->line, "params"), *j;
	const char *name;

	if (params != NULL && !json_is_object(params))
		return api_error_param(e, "params", "is not valid",
		    "an object, because parameters are named");
	json_object_foreach(params, name, j)
	{
		if (!has_param(rq->method, name))
			return set_unknown_error(e, rq->method, name);
	}
	for (unsigned i = 0; rq->method->params[i].name != NULL; i++) {
		j = json_object_get(params, rq->method->params[i].name);
		if (check_param(rq, e, i, j) != 0)
			return ERR_VALUE;
	}
	return 0;
}

/* ---- the envelope ---- */

/*
 * Returns false if arrays and objects are nested too deeply. The JSON library
 * has a limit of its own, which is far higher, and parses recursively.
 */
static bool
depth_is_good(const char *line, size_t len)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (quoted && line[i] == '\\')
			i++;
		else if (line[i] == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (line[i] == '[' || line[i] == '{')
			depth++;
		else if ((line[i] == ']' || line[i] == '}') && depth > 0)
			depth--;
		if (depth > API_DEPTH_MAX)
			return false;
	}
	return true;
}

static int
set_json_error(struct api_error *e, json_error_t *json)
{
	/* The end of the text quotes the line, which may not be UTF-8. */
	char *near = strstr(json->text, " near ");

	if (near != NULL)
		*near = '\0';
	return api_error_set(e, API_ERR_PARSE,
	    json_pack("{s:i}", "column", json->column),
	    "this is not JSON: %s (column %d)", json->text, json->column);
}

static int
parse_json(
    struct api_request *rq, struct api_error *e, const char *line, size_t len)
{
	json_error_t json;

	if (memchr(line, '\0', len) != NULL)
		return api_error_set(e, API_ERR_PARSE, NULL,
		    "this is not JSON: the line contains a NUL byte");
	if (!depth_is_good(line, len))
		return api_error_set(e, API_ERR_PARSE, NULL,
		    "arrays and objects are nested more than %d deep",
		    API_DEPTH_MAX);
	rq->line = json_loadb(
	    line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &json);
	return rq->line != NULL ? 0 : set_json_error(e, &json);
}

static int
parse_envelope(struct api_request *rq, struct api_error *e)
{
	json_t *id;
	const char *version;

	if (json_is_array(rq->line))
		return api_error_set(e, API_ERR_REQUEST, NULL,
		    "batches are not supported: send one request per line");
	if (!json_is_object(rq->line))
		return api_error_set(
		    e, API_ERR_REQUEST, NULL, "a request is a JSON object");
	id = json_object_get(rq->line, "id");
	if (id_is_good(id))
		rq->id = id;
	version = json_string_value(json_object_get(rq->line, "jsonrpc"));
	if (version == NULL || strcmp(version, "2.0") != 0)
		return api_error_set(
		    e, API_ERR_REQUEST, NULL, "\"jsonrpc\" must be \"2.0\"");
	if (rq->id == NULL)
		return api_error_set(e, API_ERR_REQUEST, NULL,
		    "\"id\" must be an integer or a string of at most %d bytes",
		    API_ID_TEXT_MAX);
	return 0;
}

static int
parse_method(struct api_request *rq, struct api_error *e)
{
	const char *name =
	    json_string_value(json_object_get(rq->line, "method"));

	if (name == NULL)
		return api_error_set(
		    e, API_ERR_REQUEST, NULL, "\"method\" must be a string");
	rq->method = api_method_find(name);
	if (rq->method == NULL)
		return api_error_set(e, API_ERR_METHOD, NULL,
		    "there is no method \"%.40s\"; describe lists them", name);
	return 0;
}

int
api_request_parse(
    struct api_request *rq, struct api_error *e, const char *line, size_t len)
{
	memset(rq, 0, sizeof *rq);
	if (parse_json(rq, e, line, len) != 0 || parse_envelope(rq, e) != 0 ||
	    parse_method(rq, e) != 0)
		return ERR_MALFORMED;
	return check_params(rq, e);
}

void
api_request_fini(struct api_request *rq)
{
	json_decref(rq->line);
	sodium_memzero(rq->bytes, sizeof rq->bytes);
}

static const char *
list_text(const struct api_value *v, size_t i)
{
	return json_string_value(json_array_get(v->list, i));
}

bool
api_value_key(const struct api_value *v, size_t i, uint8_t key[TEXT_KEY_LEN])
{
	return i < json_array_size(v->list) &&
	       text_key_parse(key, list_text(v, i)) == 0;
}

bool
api_value_addr(const struct api_value *v, size_t i, struct addr *a)
{
	return i < json_array_size(v->list) &&
	       read_addr(a, list_text(v, i)) == 0;
}

const struct api_value *
api_request_value(const struct api_request *rq, const char *name)
{
	const struct api_field *p = rq->method->params;

	while (p->name != NULL && strcmp(p->name, name) != 0)
		p++;
	assert(p->name != NULL);
	return &rq->values[p - rq->method->params];
}
