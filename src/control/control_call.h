/* SPDX-License-Identifier: ISC */
/*
 * control_call.h - one request while its method runs, and the handlers of all
 * methods.
 *
 * A method that is answered NOW has a handler that writes the result and
 * returns 0 or a negative code of err.h. A method that is answered LATER or by
 * a STREAM has a struct control_operation_type (control_operation.h). On
 * failure a handler may set the call's error; otherwise the client gets the
 * text of the code.
 */
#ifndef CONTROL_CONTROL_CALL_H
#define CONTROL_CONTROL_CALL_H

#include "api/api_request.h"
#include "api/api_writer.h"
#include "base/err.h"
#include "base/fault.h"

struct control_client;
struct control_operation_type;

struct control_call {
	struct control_client *client;
	const struct api_request *rq;
	struct api_error error;
	struct api_writer result;
	bool pending; /* an operation was started and will answer */
};

/* Declares control_NAME for each method. */
#define DECLARE_NOW(name) int control_##name(struct control_call *k);
#define DECLARE_LATER(name)                                                    \
	extern const struct control_operation_type control_##name;
#define DECLARE_STREAM(name) DECLARE_LATER(name)
#define OBJECT(name, fields)
#define METHOD(name, access, answer, ...) DECLARE_##answer(name)
#include "api/methods.def"
#undef METHOD
#undef OBJECT

/* Runs the method of the request after its access check. Returns 0, or a
 * negative code with k->error set. */
int control_call_run(struct control_call *k);

/* Returns the argument of that name, see api_request_value(). */
static inline const struct api_value *
control_arg(const struct control_call *k, const char *name)
{
	return api_request_value(k->rq, name);
}

/* Sets the error to "METHOD: text of the fault" and returns its code. */
int control_call_fail(struct control_call *k, const struct fault *f);

#endif
