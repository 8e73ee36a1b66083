// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* router.h - finds the row of the route table that a request means. Pure. */
#pragma once

#include "bridge/http/http.h"
#include "bridge/http/url.h"
#include "bridge/identity/scope.h"

#include <stddef.h>

struct route {
	enum http_method method;
	const char *pattern; /* "/workers/{worker}/commands/{command}" */
	enum scope need;     /* what it takes; SCOPE_OPEN: nothing */
	handler_f handler;
};

struct route_match {
	const struct route *route;
	struct worker_id worker;
	const char *param; /* borrowed from the url */
	unsigned allowed;  /* 1u << method, for all methods that the path knows */
};

/* The same below "/api". ERR_NOT_FOUND, ERR_WORKER_NOT_FOUND (the id has no valid form),
 * ERR_METHOD_NOT_ALLOWED (then `allowed` says which are). */
enum err_code route_find(const struct route routes[], size_t len, enum http_method method,
			 const struct url *url, struct route_match *out,
			 struct err *e) MUST_CHECK;

/* "GET, HEAD, POST" for an Allow header. */
void route_allowed(unsigned allowed, char *out, size_t size);
