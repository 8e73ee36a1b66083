// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* openapi.h - the OpenAPI 3.1 document of the REST API.
 *
 * People write bridge/http/openapi/ (bridge/embed.sh puts it into the program): for each route
 * what it takes and answers, and in "x-errors" the codes of its own. What follows from the
 * route table is added here: who may ask, and the errors that any such route can answer, each
 * with its codes. A route without an operation, or an operation without a route, is an error.
 * Pure.
 */
#pragma once

#include "bridge/http/router.h"

struct openapi_file {
	const char *name; /* "paths_workers.json" */
	const unsigned char *json;
	size_t len;
};

extern const struct openapi_file openapi_files[]; /* in order of name */
extern const size_t openapi_files_len;

/* The document as JSON, to be freed with free(). NULL after an error. ERR_INTERNAL: the files
 * do not fit the routes, or each other; the message says where. ERR_OUT_OF_MEMORY. */
char *openapi_make(const struct route routes[], size_t len, const char *version,
		   struct err *e) MUST_CHECK;
