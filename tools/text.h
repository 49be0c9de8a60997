/* SPDX-License-Identifier: MIT */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

/*
 * Names of processes and labels of buffers are any bytes but NUL. These make of them
 * what may be shown; the results are the caller's, to be freed.
 */

/*
 * For people: what would move the cursor, change colours or direction, or is no
 * character of this terminal, becomes \n, \t, \\, \xNN or \u{NNNN}.
 */
char *text_printable(const char *raw);
/* Valid UTF-8; what is none becomes U+FFFD. Control characters stay. */
char *text_utf8(const char *raw);
/* The same without what XML cannot hold, and with & < > " ' as entities */
char *text_xml(const char *raw);
/* Bytes of the first so many characters of valid UTF-8 */
size_t text_characters(const char *valid, size_t count);
/* Columns that printable text takes on a terminal */
unsigned int text_width(const char *printable);
/* Bytes of it that fit into so many columns */
size_t text_fit(const char *printable, unsigned int columns);

#endif
