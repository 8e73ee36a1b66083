// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/router.h"

#include <stdio.h>
#include <string.h>

/* What a path is to a pattern. A worker's id of a wrong form matches badly: then there is no
 * such worker, unless another row fits (GET /workers/status is one). */
enum fit { FITS_NOT, FITS_BADLY, FITS };

static enum fit match_segment(const char *pattern, size_t len, const char *segment,
			      struct route_match *out)
{
	if (pattern[0] != '{')
		return strlen(segment) == len && memcmp(pattern, segment, len) == 0 ? FITS
										    : FITS_NOT;
	if (*segment == '\0')
		return FITS_NOT;
	if (len == 8 && memcmp(pattern, "{worker}", 8) == 0)
		return worker_id_parse(segment, strlen(segment), &out->worker) ? FITS
									       : FITS_BADLY;
	out->param = segment;
	return FITS;
}

static enum fit match_path(const char *pattern, const char *const segments[], size_t n,
			   struct route_match *out)
{
	enum fit all = FITS;

	for (; *pattern == '/' && n > 0; n--, segments++) {
		const size_t len = strcspn(pattern + 1, "/");
		const enum fit fit = match_segment(pattern + 1, len, *segments, out);

		if (fit < all)
			all = fit;
		if (all == FITS_NOT)
			return FITS_NOT;
		pattern += 1 + len;
	}
	return *pattern == '\0' && n == 0 ? all : FITS_NOT;
}

enum err_code route_find(const struct route routes[], size_t len, enum http_method method,
			 const struct url *url, struct route_match *out, struct err *e)
{
	const bool api = url->segments_len > 0 && strcmp(url->segments[0], "api") == 0;
	const char *const *segments = url->segments + (api ? 1 : 0);
	const size_t n = url->segments_len - (api ? 1 : 0);
	bool badly = false;

	*out = (struct route_match){0};
	for (size_t i = 0; i < len; i++) {
		struct route_match match = {.route = &routes[i]};
		const enum fit fit = match_path(routes[i].pattern, segments, n, &match);

		badly = badly || fit == FITS_BADLY;
		if (fit != FITS)
			continue;
		match.allowed = out->allowed | 1u << routes[i].method;
		if (routes[i].method == method) {
			*out = match;
			return ERR_OK;
		}
		out->allowed = match.allowed;
	}
	if (out->allowed != 0)
		return err_set(e, ERR_METHOD_NOT_ALLOWED, NULL);
	return err_set(e, badly ? ERR_WORKER_NOT_FOUND : ERR_NOT_FOUND, NULL);
}

void route_allowed(unsigned allowed, char *out, size_t size)
{
	static const char *const names[] = {
		[HTTP_GET] = "GET, HEAD",
		[HTTP_POST] = "POST",
		[HTTP_PATCH] = "PATCH",
		[HTTP_DELETE] = "DELETE",
	};
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(names) && at < size; i++)
		if (allowed & 1u << i)
			at += (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? ", " : "",
					       names[i]);
}
