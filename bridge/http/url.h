// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* url.h - a request target taken apart: path segments and query parameters, decoded.
 *
 * Split first, decoded afterwards, so that an escaped slash never makes two segments of one.
 * Owns its text. Thread: any. */
#pragma once

#include "protocol/err.h"

#include <stddef.h>

#define URL_MAX 65536 /* a list may ask for 1,000 ids */
#define URL_SEGMENTS_MAX 10
#define URL_PARAMS_MAX 1100

struct url_param {
	const char *name, *value;
};

struct url {
	char *memory;
	const char *raw_path; /* as it came, without the query */
	size_t segments_len;
	const char *segments[URL_SEGMENTS_MAX];
	size_t params_len, params_cap;
	struct url_param *params;
};

/* ERR_INVALID_REQUEST for a broken escape, a NUL, or too much of anything. url_fini() is fine
 * after either. */
enum err_code url_parse(const char *target, struct url *out, struct err *e) MUST_CHECK;
void url_fini(struct url *url);

/* The nth value of the parameter, NULL if there are fewer. */
const char *url_param(const struct url *url, const char *name, size_t nth);
