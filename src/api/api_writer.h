/* SPDX-License-Identifier: ISC */
/*
 * api_writer.h - writes JSON objects and checks them against the schema.
 *
 * A writer fills one result, notification or list element. Each field must be
 * declared for it in methods.def with the type that is written, may be written
 * once, and must be written if it is required. Anything else is a bug of ours,
 * which aborts a program that was configured with --enable-werror, as tests
 * are; elsewhere the field is left out. When memory is exhausted the writer
 * yields no object at its end, so callers check once. All arguments are
 * copied. Uses: base, jansson.
 */
#ifndef API_API_WRITER_H
#define API_API_WRITER_H

#include "api/api.h"
#include "base/addr.h"

struct api_writer {
	json_t *object; /* owned; NULL once taken, or if memory ran out */
	const struct api_field *fields;
};

/* Starts an object with these fields, which must outlive the writer. */
void api_writer_init(struct api_writer *w, const struct api_field *fields);

/* Ends the object and checks that no required field is missing. Returns it, and
 * the caller owns it; or NULL if memory ran out. */
json_t *api_writer_take(struct api_writer *w);

/* Frees what was written, for a result that is not sent. */
void api_writer_drop(struct api_writer *w);

/* NULL writes null, here and below; the field must allow it. */
void api_write_text(struct api_writer *w, const char *name, const char *text);
void api_write_uint(struct api_writer *w, const char *name, uint64_t n);
void api_write_bool(struct api_writer *w, const char *name, bool b);
void api_write_null(struct api_writer *w, const char *name);

/* Writes a key in z-base-32, a hash or topic in hex, as the field declares. */
void api_write_bytes32(
    struct api_writer *w, const char *name, const uint8_t *bytes);

/* Writes the address and port; null if its family is ADDR_NONE. */
void api_write_addr(
    struct api_writer *w, const char *name, const struct addr *a);
void api_write_base64(
    struct api_writer *w, const char *name, const void *bytes, size_t len);

/* Writes the id of a request, which is shared, not copied. */
void api_write_id(struct api_writer *w, const char *name, json_t *id);

/* Writes an array or object whose content the schema does not declare; takes
 * the reference. */
void api_write_json(struct api_writer *w, const char *name, json_t *json);

/* Writes each member of an object as api_write_json() does; takes the
 * reference. NULL means that memory ran out. */
void api_write_members(struct api_writer *w, json_t *object);

/* Writes an empty list, to which the next two functions append. */
void api_write_list(struct api_writer *w, const char *name);
void api_append_text(struct api_writer *w, const char *name, const char *text);

/* Starts an element of a list of objects; api_append_item() ends it. */
void api_item_init(
    struct api_writer *item, const struct api_writer *w, const char *name);
void api_append_item(
    struct api_writer *w, const char *name, struct api_writer *item);

#endif
