// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/url.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes in place. False: a broken escape or an escaped NUL. */
static bool decode(char *text, bool plus_is_space)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++) {
		int hi, lo;

		if (*from == '+' && plus_is_space) {
			*to++ = ' ';
			continue;
		}
		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		hi = hex_digit(from[1]);
		lo = hi < 0 ? -1 : hex_digit(from[2]);
		if (lo < 0 || (hi == 0 && lo == 0))
			return false;
		*to++ = (char)(hi * 16 + lo);
		from += 2;
	}
	*to = '\0';
	return true;
}

static enum err_code add_param(struct url *url, char *pair, struct err *e)
{
	char *equals = strchr(pair, '=');
	char *value = equals != NULL ? equals + 1 : pair + strlen(pair);

	if (equals != NULL)
		*equals = '\0';
	if (!decode(pair, true) || !decode(value, true))
		return err_set(e, ERR_INVALID_REQUEST, "%.60s: has a broken %%-escape", pair);
	if (url->params_len == url->params_cap) {
		size_t cap = url->params_cap == 0 ? 8 : url->params_cap * 2;
		struct url_param *params = realloc(url->params, cap * sizeof(*params));

		if (params == NULL)
			return err_set(e, ERR_OUT_OF_MEMORY, NULL);
		url->params = params;
		url->params_cap = cap;
	}
	url->params[url->params_len++] = (struct url_param){pair, value};
	return ERR_OK;
}

static enum err_code parse_query(struct url *url, char *query, struct err *e)
{
	char *rest = NULL;

	for (char *pair = strtok_r(query, "&", &rest); pair != NULL;
	     pair = strtok_r(NULL, "&", &rest)) {
		if (url->params_len == URL_PARAMS_MAX)
			return err_set(e, ERR_INVALID_REQUEST,
				       "the query has more than %d parameters", URL_PARAMS_MAX);
		if (add_param(url, pair, e) != ERR_OK)
			return e->code;
	}
	return ERR_OK;
}

static enum err_code parse_path(struct url *url, char *path, struct err *e)
{
	char *segment = *path == '/' ? path + 1 : NULL;

	while (segment != NULL) {
		char *slash = strchr(segment, '/');

		if (slash != NULL)
			*slash = '\0';
		if (url->segments_len == URL_SEGMENTS_MAX)
			return err_set(e, ERR_NOT_FOUND, NULL);
		if (!decode(segment, false))
			return err_set(e, ERR_INVALID_REQUEST,
				       "the path has a broken %%-escape");
		url->segments[url->segments_len++] = segment;
		segment = slash != NULL ? slash + 1 : NULL;
	}
	return ERR_OK;
}

/* A proxy's form, "http://host/path", means the same as "/path". */
static const char *skip_origin(const char *target)
{
	const char *host;

	if (*target == '/' || (host = strstr(target, "://")) == NULL)
		return target;
	host = strchr(host + 3, '/');
	return host != NULL ? host : "/";
}

enum err_code url_parse(const char *target, struct url *out, struct err *e)
{
	size_t len, path_len;
	char *work;

	*out = (struct url){.raw_path = ""};
	target = skip_origin(target);
	len = strlen(target);
	if (len > URL_MAX)
		return err_set(e, ERR_INVALID_REQUEST, "the address is longer than %d bytes",
			       URL_MAX);
	out->memory = malloc(2 * (len + 1));
	if (out->memory == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	memcpy(out->memory, target, len + 1);
	work = out->memory + len + 1;
	memcpy(work, target, len + 1);
	path_len = strcspn(target, "?");
	out->memory[path_len] = '\0';
	out->raw_path = out->memory;
	if (work[path_len] == '?') {
		work[path_len] = '\0';
		if (parse_query(out, work + path_len + 1, e) != ERR_OK)
			return e->code;
	}
	return parse_path(out, work, e);
}

void url_fini(struct url *url)
{
	free(url->memory);
	free(url->params);
	*url = (struct url){.raw_path = ""};
}

const char *url_param(const struct url *url, const char *name, size_t nth)
{
	for (size_t i = 0; i < url->params_len; i++)
		if (strcmp(url->params[i].name, name) == 0 && nth-- == 0)
			return url->params[i].value;
	return NULL;
}
