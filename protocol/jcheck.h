// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* jcheck.h - is it JSON (RFC 8259)? In one pass, whatever the text is made of. Pure. */
#pragma once

#include <stddef.h>

#define JCHECK_DEPTH_MAX 64

/* NULL if the UTF-8 text is one JSON value in which nothing lies deeper than `depth` values
 * (JCHECK_DEPTH_MAX at most), the outermost being the first; else what is wrong, a static text,
 * and where: *at is the byte's offset. */
const char *jcheck(const char *text, size_t len, size_t depth, size_t *at);
