// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A request on its way out. Each function answers, after which the handler has it no more. */
#include "bridge/app.h"
#include "bridge/http/http_encode.h"
#include "bridge/http/http_request.h"
#include "bridge/http/routes.h"
#include "bridge/http/traffic.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void respond_header(struct request *rq, const char *name, const char *value)
{
	struct request_http *rh = rq->http;
	char *copy = strdup(value);

	if (copy == NULL || rh->headers_len == HTTP_HEADERS_MAX) {
		log_warn("http", "header %s left out", name);
		free(copy);
		return;
	}
	rh->headers[rh->headers_len++] = (struct http_header){name, copy};
}

static void add_escaped(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~",
			   *text))
			buf_add_char(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
}

void respond_next_link(struct request *rq, const char *cursor)
{
	const struct url *url = &rq->http->url;
	struct buf link;

	buf_init(&link, URL_MAX * 4);
	buf_printf(&link, "<%s?", url->raw_path);
	for (size_t i = 0; i < url->params_len; i++) {
		if (strcmp(url->params[i].name, "cursor") == 0)
			continue;
		add_escaped(&link, url->params[i].name);
		buf_add_char(&link, '=');
		add_escaped(&link, url->params[i].value);
		buf_add_char(&link, '&');
	}
	buf_printf(&link, "cursor=%s>; rel=\"next\"", cursor);
	if (!link.failed)
		respond_header(rq, "Link", link.data);
	buf_fini(&link);
}

static void answer(struct request *rq, unsigned status, struct buf *body, const char *type)
{
	struct request_http *rh = rq->http;
	struct log_cause before;

	if (type != NULL)
		respond_header(rq, "Content-Type", type);
	rh->status = status;
	if (body != NULL) {
		rh->answer = *body;
		*body = (struct buf){.max = body->max};
	}
	traffic_answered(rq->app->traffic,
			 rh->match.route != NULL ? (size_t)(rh->match.route - routes)
						 : routes_len,
			 status, clock_mono_us() - rh->began_us);
	before = request_set_cause(rq);
	log_debug("http", "user=%s method=%s path=%s status=%u us=%" PRId64,
		  rq->who.name[0] != '\0' ? rq->who.name : "-", rh->method_text,
		  rh->url.raw_path, status, clock_mono_us() - rh->began_us);
	log_set_cause(&before);
	http_encode(rh);
}

void respond_typed(struct request *rq, unsigned status, struct buf *body, const char *type)
{
	struct err e;

	if (!body->failed) {
		answer(rq, status, body, type);
		return;
	}
	buf_fini(body);
	err_set(&e, ERR_OUT_OF_MEMORY, NULL);
	respond_error(rq, &e);
}

void respond_json(struct request *rq, unsigned status, struct buf *body)
{
	respond_typed(rq, status, body, "application/json");
}

void respond_text(struct request *rq, unsigned status, const char *text)
{
	struct buf body;

	buf_init(&body, HTTP_ANSWER_MAX);
	buf_add_str(&body, text);
	answer(rq, status, &body, "text/plain; charset=utf-8");
}

void respond_empty(struct request *rq, unsigned status)
{
	answer(rq, status, NULL, NULL);
}

static void log_failure(const struct request *rq, const struct err *e)
{
	const struct log_cause before = request_set_cause(rq);

	log_warn("http", "method=%s path=%s code=%s %s", rq->http->method_text,
		 rq->http->url.raw_path, err_name(e->code), e->msg);
	log_set_cause(&before);
}

void respond_error(struct request *rq, const struct err *e)
{
	const unsigned status = err_http_status(e->code);
	struct jwrite w;
	struct buf body;

	if (status >= 500)
		log_failure(rq, e);
	if (status == 503)
		respond_header(rq, "Retry-After", "1");
	buf_init(&body, HTTP_ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_bool(&w, "success", false);
	jwrite_object(&w, "error");
	jwrite_str(&w, "code", err_name(e->code));
	/* What went wrong inside is for the log: it may name tables, hosts or files. */
	jwrite_str(&w, "message", e->code == ERR_INTERNAL ? "internal error" : e->msg);
	jwrite_object_end(&w);
	jwrite_object_end(&w);
	answer(rq, status, &body, "application/json");
}
