// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* What libmicrohttpd calls: a request from its first line to its handler, and when its answer
 * may go. http_daemon.c has it run.
 *
 * Traps that this file knows: an answer that is queued in the handler's first call closes the
 * connection, so answers wait for the second; a suspended connection neither times out nor
 * notices that its client left. */
#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/http/http_answer.h"
#include "bridge/http/http_daemon.h"
#include "bridge/http/http_peers.h"
#include "bridge/http/http_request.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A body that is too large is read and thrown away up to this size, because a client that still
 * sends would see a reset connection instead of its 413. */
#define DISCARD_MAX (64u * 1024 * 1024)

#define HEADER_MAX (16 * 1024)

/* ---- one connection ---------------------------------------------------------------------- */

enum MHD_Result http_on_accept(void *cls, const struct sockaddr *from, socklen_t len)
{
	struct http *http = cls;

	(void)len;
	return http_peers_may(http->peers, from) ? MHD_YES : MHD_NO;
}

static const struct sockaddr *address_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info != NULL ? info->client_addr : NULL;
}

void http_on_connection(void *cls, struct MHD_Connection *connection, void **context,
			enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info;
	struct http *http = cls;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		http_peer_free(*context);
		*context = NULL;
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info != NULL)
		*context = http_peer_new(http->peers, address_of(connection), info->connect_fd);
}

static void step(struct MHD_Connection *connection, enum http_step to, size_t bytes)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	if (info != NULL && info->socket_context != NULL)
		http_peer_step(info->socket_context, to, bytes);
}

void http_step(struct request_http *rh, enum http_step to, size_t bytes)
{
	if (rh->connection != NULL)
		step(rh->connection, to, bytes);
}

/* ---- one request ------------------------------------------------------------------------- */

static void list_add(struct http *http, struct request_http *rh)
{
	rh->next = http->requests;
	if (rh->next != NULL)
		rh->next->prev = rh;
	http->requests = rh;
}

static void list_remove(struct http *http, struct request_http *rh)
{
	if (rh->prev != NULL)
		rh->prev->next = rh->next;
	else
		http->requests = rh->next;
	if (rh->next != NULL)
		rh->next->prev = rh->prev;
}

void *http_on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
	struct http *http = cls;
	struct request_http *rh = request_new(http, http->app, target);

	if (rh == NULL)
		return NULL;
	rh->connection = connection;
	rh->serves = http->serves;
	list_add(http, rh);
	http_step(rh, HTTP_STEP_HEADER, 0);
	return rh;
}

void http_on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		       enum MHD_RequestTerminationCode why)
{
	struct request_http *rh = *con_cls;

	(void)cls;
	(void)why;
	step(connection, HTTP_STEP_IDLE, 0);
	if (rh == NULL)
		return;
	*con_cls = NULL;
	list_remove(rh->server, rh);
	rh->connection = NULL;
	rh->server = NULL;
	if (rh->phase != REQUEST_HANDLING)
		request_free(rh);
}

static void set_peer(struct request_http *rh)
{
	rh->rq.secure =
		MHD_get_connection_info(rh->connection, MHD_CONNECTION_INFO_PROTOCOL) != NULL;
	http_address(address_of(rh->connection), rh->rq.address);
}

static enum MHD_Result add_size(void *cls, enum MHD_ValueKind kind, const char *key,
				const char *value)
{
	size_t *sum = cls;

	(void)kind;
	*sum += strlen(key) + (value != NULL ? strlen(value) : 0) + 4;
	return MHD_YES;
}

static enum MHD_Result count_length(void *cls, enum MHD_ValueKind kind, const char *key,
				    const char *value)
{
	int *n = cls;

	(void)kind;
	(void)value;
	*n += strcasecmp(key, "Content-Length") == 0;
	return MHD_YES;
}

/* Is it clear where the request ends? One that a proxy in front may have read otherwise could
 * hide another request in its body (RFC 9112 section 6.3). */
static bool has_one_end(const struct request_http *rh)
{
	const bool chunked = request_header(&rh->rq, "Transfer-Encoding") != NULL;
	int lengths = 0;

	MHD_get_connection_values(rh->connection, MHD_HEADER_KIND, count_length, &lengths);
	return lengths + chunked <= 1;
}

/* What is clear from the header. False: answer at once, for the body had better not come. */
static bool begin(struct request_http *rh, const char *method)
{
	const char *length = request_header(&rh->rq, "Content-Length");
	const bool asks_first = request_header(&rh->rq, "Expect") != NULL;
	size_t header_len = 0;
	unsigned long long body_len;

	rh->phase = REQUEST_READING;
	http_step(rh, HTTP_STEP_BODY, 0);
	/* The method's text dies with the connection, the request may outlive it. */
	snprintf(rh->method_text, sizeof(rh->method_text), "%s", method);
	set_peer(rh);
	request_begin(rh);
	MHD_get_connection_values(rh->connection, MHD_HEADER_KIND, add_size, &header_len);
	if (header_len > HEADER_MAX)
		err_set(&rh->early, ERR_HEADERS_TOO_LARGE, NULL);
	if (!has_one_end(rh)) {
		err_set(&rh->early, ERR_INVALID_REQUEST,
			"Content-Length and Transfer-Encoding: only one of them, once");
		return false; /* answered in this call, which closes the connection */
	}
	body_len = length != NULL ? strtoull(length, NULL, 10) : 0;
	if (body_len <= rh->body_max)
		return true;
	if (rh->early.code == ERR_OK)
		err_set(&rh->early, ERR_PAYLOAD_TOO_LARGE, "the body has more than %zu bytes",
			rh->body_max);
	return !asks_first && body_len <= DISCARD_MAX;
}

/* False: it will never end. */
static bool take_body(struct request_http *rh, const char *data, size_t len)
{
	rh->upload_len += len;
	if (rh->early.code == ERR_OK && rh->upload_len <= rh->body_max)
		buf_add(&rh->upload, data, len);
	return rh->upload_len <= DISCARD_MAX;
}

bool http_attended(const struct request_http *rh)
{
	return rh->connection != NULL;
}

bool http_stopping(const struct request_http *rh)
{
	return rh->server->stopping;
}

void http_suspend(struct request_http *rh)
{
	MHD_suspend_connection(rh->connection);
	rh->suspended = true;
	http_step(rh, HTTP_STEP_NONE, 0);
}

void http_resume(struct request_http *rh)
{
	if (!rh->suspended)
		return;
	rh->suspended = false;
	http_step(rh, HTTP_STEP_ANSWER, 0);
	MHD_resume_connection(rh->connection);
	timer_once(rh->server->timer, 0);
}

/* Calls the handler; its answer is sent now if it is there, else the connection sleeps. */
static enum MHD_Result handle(struct request_http *rh)
{
	/* A connection that was kept open may bring another question in the last turns. It must
	 * not sleep: nobody would wake it before the end. */
	if (http_stopping(rh))
		return http_answer_goodbye(rh);
	request_handle(rh);
	if (rh->phase == REQUEST_ANSWERED)
		return http_answer_send(rh);
	http_suspend(rh);
	return MHD_YES;
}

enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url,
				const char *method, const char *version, const char *data,
				size_t *data_len, void **con_cls)
{
	struct request_http *rh = *con_cls;

	(void)cls;
	(void)connection;
	(void)url;
	(void)version;
	if (rh == NULL)
		return MHD_NO;
	if (rh->phase == REQUEST_NEW)
		return begin(rh, method) ? MHD_YES : handle(rh);
	if (*data_len > 0) {
		const bool goes_on = take_body(rh, data, *data_len);

		*data_len = 0;
		return goes_on ? MHD_YES : MHD_NO;
	}
	if (rh->phase == REQUEST_ANSWERED)
		return http_answer_send(rh);
	return rh->phase == REQUEST_HANDLING ? http_answer_goodbye(rh) : handle(rh);
}

void http_answered(struct request_http *rh)
{
	rh->phase = REQUEST_ANSWERED;
	if (rh->connection == NULL) { /* nobody waits any more */
		request_free(rh);
		return;
	}
	http_resume(rh); /* one that does not wait is in handle(), which sends it */
}

const char *request_header(const struct request *rq, const char *name)
{
	if (rq->http->connection == NULL)
		return NULL;
	return MHD_lookup_connection_value(rq->http->connection, MHD_HEADER_KIND, name);
}

struct collector {
	const char *name;
	struct buf *out;
};

static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind, const char *key,
			       const char *value)
{
	const struct collector *c = cls;

	(void)kind;
	if (strcasecmp(key, c->name) == 0 && value != NULL)
		buf_printf(c->out, "%s%s", c->out->len > 0 ? "," : "", value);
	return MHD_YES;
}

void request_header_all(const struct request *rq, const char *name, struct buf *out)
{
	struct collector c = {name, out};

	if (rq->http->connection != NULL)
		MHD_get_connection_values(rq->http->connection, MHD_HEADER_KIND, collect, &c);
}
