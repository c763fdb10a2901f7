/* SPDX-License-Identifier: ISC */
/*
 * safe_text.h - text of strangers, made safe for a terminal.
 */
#ifndef DHTCTL_SAFE_TEXT_H
#define DHTCTL_SAFE_TEXT_H

#include <stddef.h>

/* Bytes that each byte of the input may become, at most. */
enum { SAFE_TEXT_FACTOR = 8 };

/*
 * Copies UTF-8 text to out, of SAFE_TEXT_FACTOR * len + 1 bytes, and ends it
 * with a zero. Control characters, and those that reorder or hide text, become
 * their visible code such as <U+202E>; bytes that are not UTF-8 become <FF>. A
 * tab stays. Returns the length.
 */
size_t safe_text(char *out, const char *text, size_t len);

#endif
