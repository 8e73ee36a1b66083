// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/scope.h"

#include <stdio.h>
#include <string.h>

static const struct {
	enum scope scope;
	const char *text;
} rows[] = {
#define X(name, bit, text) {SCOPE_##name, text},
	SCOPE_LIST(X)
#undef X
};

const char *scope_name(enum scope scope)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].scope == scope)
			return rows[i].text;
	return scope == SCOPE_SESSION ? "of a signed-in user" : "of anybody";
}

enum scope scope_parse(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strlen(rows[i].text) == len && memcmp(rows[i].text, text, len) == 0)
			return rows[i].scope;
	return SCOPE_OPEN;
}

unsigned scopes_parse(const char *text)
{
	unsigned scopes = 0;

	while (*text != '\0') {
		const size_t len = strcspn(text, ",");

		scopes |= (unsigned)scope_parse(text, len);
		text += len + (text[len] == ',' ? 1 : 0);
	}
	return scopes;
}

void scopes_print(unsigned scopes, char out[SCOPES_TEXT_SIZE])
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(rows) && at < SCOPES_TEXT_SIZE; i++)
		if (scopes & (unsigned)rows[i].scope)
			at += (size_t)snprintf(out + at, SCOPES_TEXT_SIZE - at, "%s%s",
					       at > 0 ? "," : "", rows[i].text);
}
