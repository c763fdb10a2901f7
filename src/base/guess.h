/* SPDX-License-Identifier: ISC */
/*
 * guess.h - suggests the correct form of a misspelt name. Uses: nothing.
 */
#ifndef BASE_GUESS_H
#define BASE_GUESS_H

/* Returns the nearest of nth(0), nth(1), ... up to NULL by edit distance, or
 * NULL if none is near. */
const char *guess_name(const char *name, const char *(*nth)(unsigned i));

#endif
