/* SPDX-License-Identifier: ISC */
#include <config.h>
#include <string.h>

#include "control/control_call.h"
#include "control/control_server.h"

/* One of the two is set, by the `answer` of the method's row. */
struct handler {
	int (*now)(struct control_call *k);
	const struct control_operation_type *later;
};

#define HANDLER_NOW(name)                                                      \
	{                                                                      \
		.now = control_##name                                          \
	}
#define HANDLER_LATER(name)                                                    \
	{                                                                      \
		.later = &control_##name                                       \
	}
#define HANDLER_STREAM(name) HANDLER_LATER(name)

static const struct handler handlers[API_METHODS] = {
#define OBJECT(name, fields)
#define METHOD(name, access, answer, ...)                                      \
	[API_METHOD_##name] = HANDLER_##answer(name),
#include "api/methods.def"
#undef METHOD
#undef OBJECT
};

/* Returns the name of the limit that the method has reached, or NULL if it has
 * failed for another reason. */
static const char *
reached_limit(const struct api_method *m, int err)
{
	if (err == ERR_BUSY)
		return "operations";
	if (err != ERR_LIMIT)
		return NULL;
	switch (api_method_id(m)) {
	case API_METHOD_announce:
		return "announcements";
	case API_METHOD_listen:
		return "listeners";
	case API_METHOD_connect:
		return "connections";
	case API_METHOD_trace:
		return "traces";
	case API_METHOD_join:
		return "swarm-topics";
	default:
		return NULL;
	}
}

static void
set_limit_error(struct control_call *k, int err, const char *name)
{
	const struct limits *l = control_limits_of(k->client->control);
	const struct limit_info *info = limit_find(name);
	uint32_t value;

	memcpy(&value, (const char *)l + info->offset, sizeof value);
	api_error_set(&k->error, API_ERR_FAILED,
	    json_pack("{s:s, s:s, s:s}", "err_name", err_name(err), "err_text",
		err_text(err), "limit", name),
	    "%s: the limit \"%s\" of %u is reached: the option --%s of the"
	    " daemon or its configuration raises it",
	    k->rq->method->name, name, (unsigned)value, name);
}

/* Sets the error of a method that has set none. */
static void
set_error(struct control_call *k, int err)
{
	const char *limit = reached_limit(k->rq->method, err);

	if (limit != NULL)
		set_limit_error(k, err, limit);
	else
		api_error_failed(&k->error, err, "%s", k->rq->method->name);
}

int
control_call_run(struct control_call *k)
{
	const struct api_method *m = k->rq->method;
	const struct handler *h = &handlers[api_method_id(m)];
	int err;

	api_writer_init(&k->result, m->results);
	if (h->now != NULL)
		err = h->now(k);
	else
		err = control_operation_start(k, h->later);
	if (err != 0 && k->error.code == 0)
		set_error(k, err);
	if (err != 0 || k->pending)
		api_writer_drop(&k->result);
	return err;
}

int
control_call_fail(struct control_call *k, const struct fault *f)
{
	api_error_set(&k->error, API_ERR_FAILED,
	    json_pack("{s:s, s:s}", "err_name", err_name(f->err), "err_text",
		err_text(f->err)),
	    "%s: %s", k->rq->method->name, f->text);
	return f->err;
}

/* ---- watching ---- */

int
control_watch(struct control_call *k)
{
	const struct api_value *only = control_arg(k, "event");
	int event = only->set ? api_event_find(only->text) : -1;

	if (only->set && event < 0)
		return api_error_param(&k->error, "event", "names no event",
		    "one that describe lists");
	api_write_list(&k->result, "events");
	for (int i = 0; i < API_EVENTS; i++) {
		if (event >= 0 && i != event)
			continue;
		k->client->watched |= 1u << i;
		api_append_text(&k->result, "events", api_events[i].name);
	}
	json_decref(k->client->watch_id);
	k->client->watch_id = json_incref(k->rq->id);
	return 0;
}

int
control_unwatch(struct control_call *k)
{
	k->client->watched = 0;
	return 0;
}

int
control_cancel(struct control_call *k)
{
	struct control_operation *o =
	    control_operation_find(k->client, control_arg(k, "request")->id);

	if (o != NULL)
		control_operation_cancel(o);
	api_write_bool(&k->result, "cancelled", o != NULL);
	return 0;
}

/* ---- the daemon ---- */

int
control_reload(struct control_call *k)
{
	const struct control_setup *s = &k->client->control->setup;
	struct fault f;

	if (s->ops->reload(s->owner, &f) != 0)
		return control_call_fail(k, &f);
	return 0;
}

int
control_stop(struct control_call *k)
{
	const struct control_setup *s = &k->client->control->setup;

	s->ops->stop(s->owner);
	return 0;
}

int
control_describe(struct control_call *k)
{
	const struct api_value *name = control_arg(k, "method");
	const struct api_method *only = NULL;

	if (name->set) {
		only = api_method_find(name->text);
		if (only == NULL)
			return api_error_param(&k->error, "method",
			    "names no method", "one that describe lists");
	}
	api_write_members(&k->result, api_describe(only, PACKAGE_VERSION));
	return 0;
}
