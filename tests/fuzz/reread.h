// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* reread.h - what was read is written, and what is written is read again: for targets that hold
 * one against the other. */
#pragma once

#include "protocol/jread.h"
#include "protocol/jwrite.h"
#include "tests/fuzz/fuzz.h"

/* Room for all that was written of an input. */
#define REREAD_TEXT_MAX ((size_t)64 * 1024 * 1024)

/* Reads what stands in `out`, which must be JSON, and frees it. The caller's. */
static inline struct json_object *reread(struct buf *out)
{
	struct err e = {0};
	struct json_object *doc;

	must(!out->failed);
	doc = jread_parse(out->data, out->len, &e);
	must(doc != NULL);
	buf_fini(out);
	return doc;
}
