// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/err.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *name, *text;
	unsigned http;
} table[] = {
#define X(name, http, text) {#name, text, http},
	X(OK, 200, "ok") ERR_LIST(X)
#undef X
};

enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list args;

	if (e == NULL)
		return code;
	e->code = code;
	if (fmt == NULL) {
		snprintf(e->msg, sizeof(e->msg), "%s", table[code].text);
		return code;
	}
	va_start(args, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, args);
	va_end(args);
	return code;
}

const char *err_name(enum err_code code)
{
	return table[code].name;
}

unsigned err_http_status(enum err_code code)
{
	return table[code].http;
}
