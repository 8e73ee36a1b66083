// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Request targets: taken apart, decoded, and matched with the route table. */
#include "bridge/http/routes.h"
#include "protocol/buf.h"
#include "tests/fuzz/fuzz.h"

#define TARGET_MAX ((size_t)8 * URL_MAX)

static void add_escaped(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		buf_printf(out, "%%%02x", (unsigned char)*text);
}

/* Written anew, with every byte escaped, it means the same. */
static void check_again(const struct url *url)
{
	struct buf target;
	struct url again;
	struct err e = {0};

	buf_init(&target, TARGET_MAX);
	for (size_t i = 0; i < url->segments_len; i++) {
		buf_add_char(&target, '/');
		add_escaped(&target, url->segments[i]);
	}
	buf_add_char(&target, '?');
	for (size_t i = 0; i < url->params_len; i++) {
		add_escaped(&target, url->params[i].name);
		buf_add_char(&target, '=');
		add_escaped(&target, url->params[i].value);
		buf_add_char(&target, '&');
	}
	must(!target.failed);
	if (target.len <= URL_MAX && url->segments_len > 0) {
		must(url_parse(target.data, &again, &e) == ERR_OK);
		must(again.segments_len == url->segments_len);
		must(again.params_len == url->params_len);
		for (size_t i = 0; i < url->segments_len; i++)
			must(strcmp(again.segments[i], url->segments[i]) == 0);
		for (size_t i = 0; i < url->params_len; i++)
			must(strcmp(again.params[i].value, url->params[i].value) == 0);
		url_fini(&again);
	}
	buf_fini(&target);
}

static void check_match(const struct route_match *match, enum http_method method)
{
	const char *pattern = match->route->pattern;
	const char *hole = strstr(pattern, "/{");
	struct worker_id id;

	must(match->route->method == method);
	if (strstr(pattern, "{worker}") != NULL)
		must(worker_id_parse(match->worker.text, strlen(match->worker.text), &id));
	else
		must(match->worker.text[0] == '\0');
	if (hole != NULL && strncmp(hole, "/{worker}", 9) == 0)
		hole = strstr(hole + 1, "/{");
	must((hole != NULL) == (match->param != NULL));
	must(match->param == NULL || match->param[0] != '\0');
}

static void check_route(const struct url *url, enum http_method method)
{
	struct route_match match;
	struct err e = {0};
	char allowed[64];

	if (route_find(routes, routes_len, method, url, &match, &e) == ERR_OK) {
		check_match(&match, method);
	} else if (e.code == ERR_METHOD_NOT_ALLOWED) {
		must(match.allowed != 0 && (match.allowed & 1u << method) == 0);
		route_allowed(match.allowed, allowed, sizeof(allowed));
		must(allowed[0] != '\0' && strlen(allowed) < sizeof(allowed) - 1);
	} else {
		must(e.code == ERR_NOT_FOUND || e.code == ERR_WORKER_NOT_FOUND);
	}
}

static void check_params(const struct url *url)
{
	const char *value;
	size_t n = 0;

	must(url->params_len <= URL_PARAMS_MAX);
	if (url->params_len == 0)
		return;
	while ((value = url_param(url, url->params[0].name, n)) != NULL)
		n++;
	must(n >= 1 && n <= url->params_len);
}

FUZZ_NEEDS_NOTHING_BEFORE

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = input_of(data, len);
	const enum http_method method = (enum http_method)(input_u8(&in) % (HTTP_OTHER + 1));
	char *target = input_rest(&in);
	struct err e = {0};
	struct url url;

	if (url_parse(target, &url, &e) == ERR_OK) {
		must(url.segments_len <= URL_SEGMENTS_MAX);
		check_params(&url);
		check_again(&url);
		check_route(&url, method);
	} else {
		must(e.code == ERR_INVALID_REQUEST || e.code == ERR_NOT_FOUND);
	}
	url_fini(&url);
	free(target);
	return 0;
}
