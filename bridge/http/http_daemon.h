// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* http_daemon.h - what one server of libmicrohttpd's has, and what it calls. For http_daemon.c,
 * which has it run, and http.c, which takes its requests. Thread: loop. */
#pragma once

#include "bridge/http/http_peers.h"
#include "bridge/http/http_request.h"

#include <microhttpd.h>
#include <stdbool.h>

struct event;
struct timer;

struct http {
	struct app *app;
	enum http_serves serves;
	struct MHD_Daemon *daemon;
	struct event *ready;
	struct timer *timer;
	struct http_peers *peers;      /* all connections */
	struct request_http *requests; /* all that have a connection */
	bool held; /* requests wait until the bridge has caught up with the broker */
	bool stopping;
};

/* Its callbacks; `cls` is the server. May this address connect? */
enum MHD_Result http_on_accept(void *cls, const struct sockaddr *from, socklen_t len);

/* A connection begins or ends; *context is its peer (http_peers.h). */
void http_on_connection(void *cls, struct MHD_Connection *connection, void **context,
			enum MHD_ConnectionNotificationCode what);

/* A request line has come, before anything else of the request, which is returned. */
void *http_on_target(void *cls, const char *target, struct MHD_Connection *connection);

/* Its header has come; then, again and again, parts of its body; then all of it. */
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url,
				const char *method, const char *version, const char *data,
				size_t *data_len, void **con_cls);

/* It is over, however it ended. */
void http_on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		       enum MHD_RequestTerminationCode why);
