// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/http_answer.h"

#include "bridge/app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* What every answer says, unless its handler says otherwise (the dashboard's pages do). Answers
 * are data: a browser that is led to one must neither run, frame nor keep it, nor tell the next
 * site where it came from. */
static const struct {
	const char *name, *value;
} always[] = {
	{"X-Content-Type-Options",       "nosniff"                                   },
	{"Content-Security-Policy",      "default-src 'none'; frame-ancestors 'none'"},
	{"Referrer-Policy",              "no-referrer"                               },
	{"Cross-Origin-Resource-Policy", "same-origin"                               },
	{"Cache-Control",                "no-store"                                  },
};

static bool is_set(const struct request_http *rh, const char *name)
{
	for (size_t i = 0; i < rh->headers_len; i++)
		if (strcasecmp(rh->headers[i].name, name) == 0)
			return true;
	return false;
}

/* Only over TLS, where a browser heeds it (RFC 6797 section 8.1). */
static void add_hsts(struct MHD_Response *response, const struct request_http *rh)
{
	const int64_t seconds = rh->rq.app->config.hsts_s;
	char value[48];

	if (!rh->rq.secure || seconds == 0)
		return;
	snprintf(value, sizeof(value), "max-age=%" PRId64, seconds);
	MHD_add_response_header(response, "Strict-Transport-Security", value);
}

static void add_headers(struct MHD_Response *response, const struct request_http *rh)
{
	MHD_add_response_header(response, "X-Request-Id", rh->rq.id);
	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		if (!is_set(rh, always[i].name))
			MHD_add_response_header(response, always[i].name, always[i].value);
	add_hsts(response, rh);
	for (size_t i = 0; i < rh->headers_len; i++)
		MHD_add_response_header(response, rh->headers[i].name, rh->headers[i].value);
}

static struct MHD_Response *make_response(struct request_http *rh)
{
	struct MHD_Response *response;
	size_t len = 0;
	char *data;

	if (rh->stream != NULL) {
		response = stream_response(rh->stream);
		if (response != NULL)
			rh->stream = NULL;
		return response;
	}
	data = buf_take(&rh->answer, &len);
	response = MHD_create_response_from_buffer(
		len, data, data != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (response == NULL)
		free(data);
	return response;
}

static enum MHD_Result queue(struct request_http *rh, unsigned status,
			     struct MHD_Response *response)
{
	enum MHD_Result queued;

	if (response == NULL)
		return MHD_NO;
	add_headers(response, rh);
	queued = MHD_queue_response(rh->connection, status, response);
	MHD_destroy_response(response);
	return queued;
}

enum MHD_Result http_answer_send(struct request_http *rh)
{
	http_step(rh, HTTP_STEP_ANSWER, rh->answer.len);
	return queue(rh, rh->status, make_response(rh));
}

enum MHD_Result http_answer_goodbye(struct request_http *rh)
{
	static char text[] = "{\"success\":false,\"error\":{\"code\":\"DATABASE_UNAVAILABLE\","
			     "\"message\":\"the bridge is stopping\"}}";
	struct MHD_Response *response =
		MHD_create_response_from_buffer(sizeof(text) - 1, text, MHD_RESPMEM_PERSISTENT);

	if (response != NULL)
		MHD_add_response_header(response, "Content-Type", "application/json");
	http_step(rh, HTTP_STEP_ANSWER, sizeof(text));
	return queue(rh, MHD_HTTP_SERVICE_UNAVAILABLE, response);
}
