// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/openapi.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 400

/* What any route may answer, beside the codes of its own. */
static const struct {
	enum err_code code;
	bool with_body;   /* only those that read a body */
	bool with_worker; /* only those with a worker in the path */
} common[] = {
	{ERR_INVALID_REQUEST,        false, false},
	{ERR_WORKER_NOT_FOUND,       false, true },
	{ERR_PAYLOAD_TOO_LARGE,      true,  false},
	{ERR_UNSUPPORTED_MEDIA_TYPE, true,  false},
	{ERR_HEADERS_TOO_LARGE,      false, false},
	{ERR_INTERNAL,               false, false},
	{ERR_OUT_OF_MEMORY,          false, false},
	{ERR_DATABASE_UNAVAILABLE,   false, false}, /* also while the bridge stops */
};

/* Headers that come with every answer of a status. */
static const struct {
	unsigned status;
	const char *header, *component;
} status_headers[] = {
	{401, "WWW-Authenticate", "WwwAuthenticate"},
	{429, "Retry-After",      "RetryAfter"     },
	{503, "Retry-After",      "RetryAfter"     },
};

struct maker {
	struct json_object *doc;
	struct err *e;
};

/* ---- JSON in short ----------------------------------------------------------------------- */

static struct json_object *text(const char *s)
{
	return json_object_new_string(s);
}

static struct json_object *get(struct json_object *o, const char *key)
{
	return json_object_object_get(o, key);
}

/* The object of that key, made if it is not there. */
static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *found = get(o, key);

	if (found == NULL) {
		found = json_object_new_object();
		json_object_object_add(o, key, found);
	}
	return found;
}

static struct json_object *reference(const char *kind, const char *name)
{
	struct json_object *o = json_object_new_object();
	char path[NAME_BYTES + 40];

	snprintf(path, sizeof(path), "#/components/%s/%s", kind, name);
	json_object_object_add(o, "$ref", text(path));
	return o;
}

/* ---- the parts ----------------------------------------------------------------------------
 */

/* What both have, and is no object in both, is a mistake. As deep as the files that we write.
 * NOLINTNEXTLINE(misc-no-recursion) */
static bool merge(struct json_object *into, struct json_object *from)
{
	json_object_object_foreach(from, key, value)
	{
		struct json_object *have = get(into, key);

		if (have == NULL)
			json_object_object_add(into, key, json_object_get(value));
		else if (!json_object_is_type(have, json_type_object) || !merge(have, value))
			return false;
	}
	return true;
}

static enum err_code add_part(struct maker *m, const struct openapi_file *file)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *part = NULL;

	if (tokener == NULL)
		return err_set(m->e, ERR_OUT_OF_MEMORY, NULL);
	part = json_tokener_parse_ex(tokener, (const char *)file->json, (int)file->len);
	json_tokener_free(tokener);
	if (!json_object_is_type(part, json_type_object) || !merge(m->doc, part))
		err_set(m->e, ERR_INTERNAL, "%s: is no JSON object, or repeats another part",
			file->name);
	json_object_put(part);
	return m->e->code;
}

/* ---- errors -------------------------------------------------------------------------------
 */

static bool is_in_path(const struct route *route, const char *placeholder)
{
	return strstr(route->pattern, placeholder) != NULL;
}

static bool reads_body(const struct route *route)
{
	return route->method == HTTP_POST || route->method == HTTP_PATCH;
}

static void add_common(const struct route *route, bool wanted[ERR_CODES])
{
	const bool changes = route->method != HTTP_GET;

	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		if ((!common[i].with_body || reads_body(route)) &&
		    (!common[i].with_worker || is_in_path(route, "{worker}")))
			wanted[common[i].code] = true;
	if (route->need == SCOPE_OPEN)
		return;
	wanted[ERR_UNAUTHENTICATED] = true;
	/* One who is signed in may always read about that; with a cookie a change needs more.
	 */
	if (route->need != SCOPE_SIGNED_IN || changes)
		wanted[ERR_FORBIDDEN] = true;
}

static enum err_code add_own(struct maker *m, struct json_object *op, bool wanted[ERR_CODES])
{
	struct json_object *names = get(op, "x-errors");
	const size_t n = names != NULL ? json_object_array_length(names) : 0;

	for (size_t i = 0; i < n; i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(names, i));
		int code = ERR_OK + 1;

		while (code < ERR_CODES && strcmp(err_name((enum err_code)code), name) != 0)
			code++;
		if (code == ERR_CODES)
			return err_set(m->e, ERR_INTERNAL, "x-errors: %s is no code", name);
		wanted[code] = true;
	}
	json_object_object_del(op, "x-errors");
	return ERR_OK;
}

/* {"allOf":[Error, its code is one of those]} */
static struct json_object *error_schema(const bool wanted[ERR_CODES], unsigned status)
{
	struct json_object *codes = json_object_new_array(), *all = json_object_new_array();
	struct json_object *narrow = json_object_new_object(),
			   *schema = json_object_new_object();
	struct json_object *error = member(member(narrow, "properties"), "error");

	for (int code = ERR_OK + 1; code < ERR_CODES; code++)
		if (wanted[code] && err_http_status((enum err_code)code) == status)
			json_object_array_add(codes, text(err_name((enum err_code)code)));
	json_object_object_add(member(member(error, "properties"), "code"), "enum", codes);
	json_object_array_add(all, reference("schemas", "Error"));
	json_object_array_add(all, narrow);
	json_object_object_add(schema, "allOf", all);
	return schema;
}

/* "WORKER_NOT_CONNECTED.WORKER_REVOKED" */
static void name_of_errors(const bool wanted[ERR_CODES], unsigned status, const char *separator,
			   char out[NAME_BYTES])
{
	size_t at = 0;

	for (int code = ERR_OK + 1; code < ERR_CODES && at < NAME_BYTES; code++)
		if (wanted[code] && err_http_status((enum err_code)code) == status)
			at += (size_t)snprintf(out + at, NAME_BYTES - at, "%s%s",
					       at > 0 ? separator : "",
					       err_name((enum err_code)code));
}

static void add_headers(struct json_object *response, unsigned status)
{
	struct json_object *headers = member(response, "headers");

	json_object_object_add(headers, "X-Request-Id", reference("headers", "RequestId"));
	for (size_t i = 0; i < ARRAY_LEN(status_headers); i++)
		if (status_headers[i].status == status)
			json_object_object_add(
				headers, status_headers[i].header,
				reference("headers", status_headers[i].component));
}

/* Routes with the same errors share one description. */
static struct json_object *error_response(struct maker *m, const bool wanted[ERR_CODES],
					  unsigned status)
{
	struct json_object *all = member(member(m->doc, "components"), "responses"), *made;
	char name[NAME_BYTES], description[NAME_BYTES];

	name_of_errors(wanted, status, ".", name);
	if (get(all, name) == NULL) {
		made = json_object_new_object();
		json_object_object_add(all, name, made);
		name_of_errors(wanted, status, ", ", description);
		json_object_object_add(made, "description", text(description));
		add_headers(made, status);
		json_object_object_add(member(member(made, "content"), "application/json"),
				       "schema", error_schema(wanted, status));
	}
	return reference("responses", name);
}

/* A status with an answer of its own (GET /readyz has one for 503) may be an error as well. */
static void widen(struct json_object *response, const bool wanted[ERR_CODES], unsigned status)
{
	struct json_object *json = member(member(response, "content"), "application/json");
	struct json_object *any = json_object_new_array(), *schema = json_object_new_object();

	json_object_array_add(any, json_object_get(get(json, "schema")));
	json_object_array_add(any, error_schema(wanted, status));
	json_object_object_add(schema, "anyOf", any);
	json_object_object_add(json, "schema", schema);
}

static enum err_code add_errors(struct maker *m, const struct route *route,
				struct json_object *op)
{
	struct json_object *responses = member(op, "responses");
	bool wanted[ERR_CODES] = {false};
	unsigned before = 0;
	char status[16];

	add_common(route, wanted);
	if (add_own(m, op, wanted) != ERR_OK)
		return m->e->code;
	json_object_object_foreach(responses, key, response)
		add_headers(response, (unsigned)strtoul(key, NULL, 10));
	/* The table of codes is in order of their statuses. */
	for (int code = ERR_OK + 1; code < ERR_CODES; code++) {
		const unsigned http = err_http_status((enum err_code)code);

		if (!wanted[code] || http == before)
			continue;
		before = http;
		snprintf(status, sizeof(status), "%u", http);
		if (get(responses, status) != NULL)
			widen(get(responses, status), wanted, http);
		else
			json_object_object_add(responses, status,
					       error_response(m, wanted, http));
	}
	return ERR_OK;
}

/* ---- who may ask --------------------------------------------------------------------------
 */

static void add_scheme(struct json_object *security, const char *scheme, enum scope need)
{
	struct json_object *row = json_object_new_object(), *roles = json_object_new_array();

	if (need <= SCOPE_ADMIN)
		json_object_array_add(roles, text(scope_name(need)));
	json_object_object_add(row, scheme, roles);
	json_object_array_add(security, row);
}

static void add_security(const struct route *route, struct json_object *op)
{
	struct json_object *security = json_object_new_array();

	if (route->need != SCOPE_OPEN) {
		add_scheme(security, route->need == SCOPE_SESSION ? "session" : "bearer",
			   route->need);
		add_scheme(security, "cookie", route->need);
	}
	json_object_object_add(op, "security", security);
}

/* ---- routes and operations ----------------------------------------------------------------
 */

static const char *const methods[] = {
	[HTTP_GET] = "get",
	[HTTP_POST] = "post",
	[HTTP_PATCH] = "patch",
	[HTTP_DELETE] = "delete",
};

/* The same path, whatever its placeholders are called. */
static bool same_path(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		if (*a == '{') {
			a += strcspn(a, "}");
			b += strcspn(b, "}");
		} else {
			a++;
			b++;
		}
	}
	return *a == *b;
}

static struct json_object *operation_of(struct json_object *paths, const struct route *route)
{
	json_object_object_foreach(
		paths, path,
		item) if (same_path(path, route->pattern)) return get(item,
								      methods[route->method]);
	return NULL;
}

static enum err_code add_route(struct maker *m, const struct route *route)
{
	struct json_object *op = operation_of(member(m->doc, "paths"), route);

	if (op == NULL)
		return err_set(m->e, ERR_INTERNAL,
			       "%s %s: has no operation in bridge/http/openapi/",
			       methods[route->method], route->pattern);
	add_security(route, op);
	return add_errors(m, route, op);
}

/* An operation of a route has its security by now. */
static enum err_code check_item(struct maker *m, const char *path, struct json_object *item)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		struct json_object *op = get(item, methods[i]);

		if (op != NULL && get(op, "security") == NULL)
			return err_set(m->e, ERR_INTERNAL, "%s %s: is no route", methods[i],
				       path);
	}
	return ERR_OK;
}

static enum err_code check_paths(struct maker *m)
{
	json_object_object_foreach(member(m->doc, "paths"), path,
				   item) if (check_item(m, path, item) != ERR_OK) break;
	return m->e->code;
}

static enum err_code make(struct maker *m, const struct route routes[], size_t len,
			  const char *version)
{
	for (size_t i = 0; i < openapi_files_len; i++)
		if (add_part(m, &openapi_files[i]) != ERR_OK)
			return m->e->code;
	json_object_object_add(member(m->doc, "info"), "version", text(version));
	for (size_t i = 0; i < len; i++)
		if (add_route(m, &routes[i]) != ERR_OK)
			return m->e->code;
	return check_paths(m);
}

char *openapi_make(const struct route routes[], size_t len, const char *version, struct err *e)
{
	struct maker m = {json_object_new_object(), e};
	const char *json;
	char *copy = NULL;

	*e = (struct err){0};
	if (make(&m, routes, len, version) == ERR_OK) {
		json = json_object_to_json_string_ext(
			m.doc, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
		copy = json != NULL ? strdup(json) : NULL;
		if (copy == NULL)
			err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	json_object_put(m.doc);
	return copy;
}
