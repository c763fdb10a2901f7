/* SPDX-License-Identifier: ISC */
/*
 * tunnel_file.h - the file of the state directory that lists the tunnels.
 *
 * One line each:
 *
 *	expose NAME ALLOW ADDRESS	ALLOW: "public", or keys in hex, with
 *					commas
 *	forward NAME PEER ADDRESS	NAME: "*" for the key of the node
 */
#ifndef TUNNEL_TUNNEL_FILE_H
#define TUNNEL_TUNNEL_FILE_H

struct fault;
struct state;
struct tunnel_spec;
struct tunnels;

/* Calls found for each stored tunnel. Logs lines that are not valid and ignores
 * them. Returns 0, or ERR_FILE or ERR_MEMORY, logged, if there may be tunnels
 * that were not read. */
int tunnel_file_load(const struct state *s,
    void (*found)(void *owner, const struct tunnel_spec *spec), void *owner)
    __attribute__((warn_unused_result));

/* Replaces the file. Returns 0, or ERR_FILE or ERR_MEMORY with *f set. */
int tunnel_file_save(const struct tunnels *t, struct fault *f)
    __attribute__((warn_unused_result));

#endif
