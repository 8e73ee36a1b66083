// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* jwt.h - dashboard sessions as signed text (JWT, HS256 only). Only jwt.c knows libjwt. */
#pragma once

#include "bridge/http/http.h"

#include <stdbool.h>
#include <stdint.h>

struct claims {
	char sub[65]; /* user name */
	enum role role;
	char jti[33]; /* names this session */
	int64_t ver;  /* of the user when the session began */
	int64_t iat_s, exp_s;
};

/* The text, to be freed with free(); NULL: out of memory. */
char *jwt_issue(const char *secret, const struct claims *claims);

/* False unless it was signed with HS256 and this secret, has every claim, and now_s lies before
 * its end. */
bool jwt_check(const char *secret, const char *text, int64_t now_s, struct claims *out);
