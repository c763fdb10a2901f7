/* SPDX-License-Identifier: ISC */
/*
 * guess.h - the name that was probably meant by a misspelt one. Uses: nothing.
 */
#ifndef BASE_GUESS_H
#define BASE_GUESS_H

/* The nearest of nth(0), nth(1), ... NULL, or NULL if none is near. */
const char *guess_name(const char *name, const char *(*nth)(unsigned i));

#endif
