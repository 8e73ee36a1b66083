// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/jwt.h"

#include <jwt.h>
#include <stdio.h>
#include <string.h>

static const char *role_text(enum role role)
{
	return role == ROLE_ADMIN ? "admin" : "viewer";
}

static bool fill(jwt_t *jwt, const char *secret, const struct claims *c)
{
	return jwt_add_grant(jwt, "sub", c->sub) == 0 &&
	       jwt_add_grant(jwt, "role", role_text(c->role)) == 0 &&
	       jwt_add_grant(jwt, "jti", c->jti) == 0 &&
	       jwt_add_grant_int(jwt, "ver", (long)c->ver) == 0 &&
	       jwt_add_grant_int(jwt, "iat", (long)c->iat_s) == 0 &&
	       jwt_add_grant_int(jwt, "exp", (long)c->exp_s) == 0 &&
	       jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)secret,
			   (int)strlen(secret)) == 0;
}

char *jwt_issue(const char *secret, const struct claims *claims)
{
	jwt_t *jwt = NULL;
	char *text = NULL;

	if (jwt_new(&jwt) != 0)
		return NULL;
	if (fill(jwt, secret, claims))
		text = jwt_encode_str(jwt);
	jwt_free(jwt);
	return text;
}

static bool copy_text(jwt_t *jwt, const char *name, char *out, size_t size)
{
	const char *text = jwt_get_grant(jwt, name);

	return text != NULL && strlen(text) < size && snprintf(out, size, "%s", text) > 0;
}

static bool read_claims(jwt_t *jwt, struct claims *out)
{
	char role[16];

	if (!copy_text(jwt, "sub", out->sub, sizeof(out->sub)) ||
	    !copy_text(jwt, "jti", out->jti, sizeof(out->jti)) ||
	    !copy_text(jwt, "role", role, sizeof(role)))
		return false;
	out->role = strcmp(role, "admin") == 0 ? ROLE_ADMIN : ROLE_VIEWER;
	out->ver = jwt_get_grant_int(jwt, "ver");
	out->iat_s = jwt_get_grant_int(jwt, "iat");
	out->exp_s = jwt_get_grant_int(jwt, "exp");
	return out->ver > 0 && out->iat_s > 0 && out->exp_s > 0;
}

bool jwt_check(const char *secret, const char *text, int64_t now_s, struct claims *out)
{
	jwt_t *jwt = NULL;
	bool ok;

	*out = (struct claims){0};
	if (jwt_decode(&jwt, text, (const unsigned char *)secret, (int)strlen(secret)) != 0)
		return false;
	/* The text names its own algorithm; what it may name is ours to say. */
	ok = jwt_get_alg(jwt) == JWT_ALG_HS256 && read_claims(jwt, out) && now_s < out->exp_s;
	jwt_free(jwt);
	return ok;
}
