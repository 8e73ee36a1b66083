// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/text.h"

#include <stdbool.h>
#include <string.h>

size_t text_expand(char *out, size_t cap, const char *pattern, const char *id)
{
	size_t n = 0, len = strlen(id);

	for (; *pattern != '\0' && n + len + 1 < cap; pattern++) {
		if (pattern[0] == '%' && pattern[1] == 's') {
			memcpy(out + n, id, len);
			n += len;
			pattern++;
		} else {
			out[n++] = *pattern;
		}
	}
	out[n] = '\0';
	return n;
}

static void copy_value(const char *p, const char *end, char *out, size_t cap)
{
	size_t n = 0;
	bool quoted;

	while (p < end && (*p == ' ' || *p == ':'))
		p++;
	quoted = p < end && *p == '"';
	if (quoted)
		p++;
	while (p < end && n + 1 < cap && (quoted ? *p != '"' : *p != ',' && *p != '}'))
		out[n++] = *p++;
	out[n] = '\0';
}

void text_member(const char *json, size_t len, const char *name, char *out, size_t cap)
{
	const char *end = json + len, *p = json;
	size_t n = strlen(name);

	out[0] = '\0';
	while ((p = memmem(p, (size_t)(end - p), name, n)) != NULL) {
		bool quoted = p > json && p[-1] == '"' && p + n < end && p[n] == '"';

		p += n;
		if (quoted) {
			copy_value(p + 1, end, out, cap);
			return;
		}
	}
}
