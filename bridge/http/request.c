// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A request on its way in: what is checked before a handler sees it. */
#include "bridge/app.h"
#include "bridge/http/http_request.h"
#include "bridge/http/routes.h"
#include "bridge/identity/address.h"
#include "bridge/identity/auth.h"
#include "protocol/clock.h"
#include "protocol/htab.h"
#include "protocol/jread.h"
#include "protocol/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ID_RANDOM_BYTES 12

struct request_http *request_new(struct http *server, struct app *app, const char *target)
{
	struct request_http *rh = calloc(1, sizeof(*rh));

	if (rh == NULL)
		return NULL;
	rh->server = server;
	rh->rq.app = app;
	rh->rq.http = rh;
	rh->began_us = clock_mono_us();
	rh->body_max = HTTP_BODY_MAX;
	buf_init(&rh->upload, HTTP_BODY_MAX);
	if (url_parse(target, &rh->url, &rh->early) == ERR_OUT_OF_MEMORY) {
		request_free(rh);
		return NULL;
	}
	return rh;
}

/* It may have a password in it. */
static void drop_upload(struct request_http *rh)
{
	if (rh->upload.len > 0)
		sodium_memzero(rh->upload.data, rh->upload.len);
	buf_fini(&rh->upload);
}

/* The strings of its outermost object, where passwords stand. */
static void drop_body(struct request_http *rh)
{
	if (json_object_is_type(rh->rq.body, json_type_object)) {
		json_object_object_foreach(rh->rq.body, key, value)
		{
			const size_t len = (size_t)json_object_get_string_len(value);
			const char *text = len > 0 ? json_object_get_string(value) : NULL;
			void *bytes;

			(void)key;
			/* Ours alone by now, but json-c's type for it has a const. */
			memcpy(&bytes, &text, sizeof(bytes));
			if (text != NULL)
				sodium_memzero(bytes, len);
		}
	}
	json_object_put(rh->rq.body);
}

void request_free(struct request_http *rh)
{
	for (size_t i = 0; i < rh->headers_len; i++)
		free(rh->headers[i].value);
	drop_body(rh);
	url_fini(&rh->url);
	drop_upload(rh);
	buf_fini(&rh->answer);
	stream_free(rh->stream);
	free(rh);
}

static bool is_request_id(const char *text)
{
	const size_t len = strlen(text);

	return len >= 1 && len < sizeof(((struct request *)NULL)->id) &&
	       strspn(text,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
		       len;
}

static void set_id(struct request *rq)
{
	/* The kernel is asked for many at once: each time is a system call. */
	static uint8_t random[ID_RANDOM_BYTES * 128];
	static size_t used = sizeof(random);
	const char *theirs = request_header(rq, "X-Request-Id");

	if (theirs != NULL && is_request_id(theirs)) {
		memcpy(rq->id, theirs, strlen(theirs) + 1);
		return;
	}
	if (used == sizeof(random)) {
		randombytes_buf(random, sizeof(random));
		used = 0;
	}
	sodium_bin2base64(rq->id, sizeof(rq->id), random + used, ID_RANDOM_BYTES,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	used += ID_RANDOM_BYTES;
}

static enum http_method method_of(const char *text)
{
	static const struct {
		const char *text;
		enum http_method method;
	} methods[] = {
		{"GET",    HTTP_GET   },
                {"HEAD",   HTTP_GET   },
                {"POST",   HTTP_POST  },
		{"PATCH",  HTTP_PATCH },
                {"DELETE", HTTP_DELETE},
	};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i].text, text) == 0)
			return methods[i].method;
	return HTTP_OTHER;
}

/* A body of unknown form is refused; one that nobody reads (GET, DELETE) may have any. */
static enum err_code check_content_type(struct request_http *rh, struct err *e)
{
	const char *type = request_header(&rh->rq, "Content-Type");
	size_t len;

	if (type == NULL)
		return err_set(e, ERR_UNSUPPORTED_MEDIA_TYPE, NULL);
	len = strcspn(type, "; \t");
	if (len != 16 || strncasecmp(type, "application/json", len) != 0)
		return err_set(e, ERR_UNSUPPORTED_MEDIA_TYPE, NULL);
	return ERR_OK;
}

/* Looks past the proxies that are trusted: where it comes from, and whether by TLS. */
static void set_origin(struct request *rq)
{
	const char *proxies = rq->app->config.trusted_proxies;
	char peer[sizeof(rq->address)];
	struct buf values;

	if (*proxies == '\0')
		return;
	memcpy(peer, rq->address, sizeof(peer));
	buf_init(&values, HTTP_FORWARDED_MAX);
	request_header_all(rq, "X-Forwarded-For", &values);
	address_of_client(proxies, peer, values.failed ? NULL : values.data, rq->address);
	buf_reset(&values);
	request_header_all(rq, "X-Forwarded-Proto", &values);
	if (!rq->secure && values.len > 0 && !values.failed && address_listed(proxies, peer)) {
		const char *last = strrchr(values.data, ',');

		last = last != NULL ? last + 1 : values.data;
		rq->secure = strcasecmp(last + strspn(last, " "), "https") == 0;
	}
	buf_fini(&values);
}

static bool is_served(const struct request_http *rh)
{
	enum route_place place;

	if (rh->serves == HTTP_SERVES_ALL)
		return true;
	place = route_place(rh->match.route);
	return place == ROUTE_BOTH || (rh->serves == HTTP_SERVES_REST) == (place == ROUTE_REST);
}

static enum err_code begin(struct request_http *rh, struct err *e)
{
	if (e->code != ERR_OK) /* the address could not be read */
		return e->code;
	if (route_find(routes, routes_len, rh->method, &rh->url, &rh->match, e) != ERR_OK)
		return e->code;
	if (!is_served(rh))
		return err_set(e, ERR_NOT_FOUND, NULL);
	rh->rq.worker = rh->match.worker;
	rh->rq.param = rh->match.param;
	if (rh->match.route->need == SCOPE_OPEN)
		rh->body_max = HTTP_BODY_MAX_OPEN;
	return auth_check(&rh->rq, rh->method != HTTP_GET, rh->match.route->need, e);
}

struct log_cause request_set_cause(const struct request *rq)
{
	const struct log_cause before = log_cause();
	struct log_cause cause;

	static_assert(sizeof(cause.id) >= sizeof(rq->id), "a request's id is a cause's");
	memcpy(cause.id, rq->id, sizeof(rq->id));
	log_set_cause(&cause);
	return before;
}

void request_begin(struct request_http *rh)
{
	rh->method = method_of(rh->method_text);
	set_id(&rh->rq);
	request_set_cause(&rh->rq);
	set_origin(&rh->rq);
	begin(rh, &rh->early);
	log_set_cause(NULL);
}

static bool reads_body(const struct request_http *rh)
{
	return rh->method == HTTP_POST || rh->method == HTTP_PATCH;
}

static enum err_code parse_body(struct request_http *rh, struct err *e)
{
	if (rh->early.code != ERR_OK) {
		*e = rh->early;
		return e->code;
	}
	if (rh->upload_len > rh->body_max)
		return err_set(e, ERR_PAYLOAD_TOO_LARGE, "the body has more than %zu bytes",
			       rh->body_max);
	if (rh->upload_len == 0 || !reads_body(rh))
		return ERR_OK;
	if (rh->upload.failed)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (check_content_type(rh, e) != ERR_OK)
		return e->code;
	rh->rq.body = jread_parse(rh->upload.data, rh->upload.len, e);
	drop_upload(rh);
	if (rh->rq.body == NULL) {
		struct err cause = *e;

		return err_set(e, cause.code, "body: %s", cause.msg);
	}
	return ERR_OK;
}

static void add_error_headers(struct request_http *rh, enum err_code code)
{
	char allowed[64];

	if (code == ERR_METHOD_NOT_ALLOWED) {
		route_allowed(rh->match.allowed, allowed, sizeof(allowed));
		respond_header(&rh->rq, "Allow", allowed);
	} else if (code == ERR_UNAUTHENTICATED) {
		respond_header(&rh->rq, "WWW-Authenticate", "Bearer");
	}
}

static void handle(struct request_http *rh)
{
	struct err e = {0};

	rh->phase = REQUEST_HANDLING;
	if (parse_body(rh, &e) == ERR_OK && rh->match.route->handler(&rh->rq, &e) == ERR_OK)
		return; /* answered, or will be */
	add_error_headers(rh, e.code);
	respond_error(&rh->rq, &e);
}

void request_handle(struct request_http *rh)
{
	request_set_cause(&rh->rq);
	handle(rh);
	log_set_cause(NULL);
}

void request_read(const struct request *rq, struct jread *r, struct err *e)
{
	jread_begin(r, rq->body, e);
	if (jread_failed(r))
		err_set(e, ERR_INVALID_REQUEST,
			rq->body == NULL ? "body: is missing" : "body: must be a JSON object");
}

const char *request_query(const struct request *rq, const char *name)
{
	return url_param(&rq->http->url, name, 0);
}

const char *request_query_nth(const struct request *rq, const char *name, size_t nth)
{
	return url_param(&rq->http->url, name, nth);
}

uint64_t request_query_hash(const struct request *rq)
{
	const struct url *url = &rq->http->url;
	uint64_t hash = 0;

	for (size_t i = 0; i < url->params_len; i++) {
		hash = hash * 31 + htab_hash_str(url->params[i].name);
		hash = hash * 31 + htab_hash_str(url->params[i].value);
	}
	return hash;
}

enum err_code request_query_only(const struct request *rq, const char *const names[],
				 struct err *e)
{
	const struct url *url = &rq->http->url;

	for (size_t i = 0; i < url->params_len; i++) {
		const char *const *name = names;

		while (*name != NULL && strcmp(*name, url->params[i].name) != 0)
			name++;
		if (*name == NULL)
			return err_set(e, ERR_INVALID_REQUEST,
				       "%.60s: is not a parameter of this request",
				       url->params[i].name);
	}
	return ERR_OK;
}

enum err_code request_query_i64(const struct request *rq, const char *name, int64_t otherwise,
				int64_t min, int64_t max, int64_t *out, struct err *e)
{
	const char *text = request_query(rq, name);
	char *end;

	*out = otherwise;
	if (text == NULL)
		return ERR_OK;
	errno = 0;
	*out = strtoimax(text, &end, 10);
	if (*text == '\0' || *end != '\0' || errno != 0 || *out < min || *out > max)
		return err_set(e, ERR_INVALID_REQUEST,
			       "%s: '%.30s' is not a whole number from %" PRId64 " to %" PRId64,
			       name, text, min, max);
	return ERR_OK;
}
