/* SPDX-License-Identifier: ISC */
/*
 * resolve_name.h - names of peers in the place of their public keys.
 */
#ifndef DHTCTL_RESOLVE_NAME_H
#define DHTCTL_RESOLVE_NAME_H

#include <jansson.h>

#include "api/api.h"

struct api_client;

/* Replaces each name among the parameters that are keys by the key, which the
 * daemon knows. Returns an exit code, after reporting what went wrong. */
int resolve_names(
    struct api_client *cl, enum api_method_id method, json_t *params);

#endif
