// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* gzip.h - HTTP's gzip: does a client take it, and the bytes. Only gzip.c knows zlib. Pure. */
#pragma once

#include "protocol/buf.h"

/* Does an Accept-Encoding (NULL: there is none) take gzip? "q=0" refuses it, and "*" stands for
 * it where it is not named (RFC 9110 section 12.5.3). */
bool gzip_accepted(const char *accept_encoding);

/* Adds `len` bytes to an empty buffer, compressed quickly rather than well. out->failed: out of
 * memory, or past its ceiling. Takes some 4 ms for each MB of JSON. */
void gzip_pack(const char *data, size_t len, struct buf *out);
