// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* POST /workers/{worker}/send: a message as it is, without a record. */
#include "bridge/app.h"
#include "bridge/commands/command_body.h"
#include "bridge/http/routes.h"
#include "bridge/mqtt/control.h"
#include "bridge/workers/roster.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"
#include "protocol/topics.h"

#include <string.h>

#define SEND_TIMEOUT_MS 1000
#define FIELDS_MAX ((size_t)2 * 1024 * 1024)
#define ANSWER_MAX ((size_t)64 * 1024)

static void on_sent(void *arg, struct json_object *data, struct err *e)
{
	struct request *rq = arg;
	struct jwrite w;
	struct buf body;

	if (data == NULL) {
		if (e->code == ERR_NOT_CONNECTED || e->code == ERR_WORKER_NOT_FOUND)
			err_set(e, ERR_WORKER_NOT_CONNECTED, NULL);
		respond_error(rq, e);
		return;
	}
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_bool(&w, "success", true);
	jwrite_i64(&w, "sessions",
		   json_object_get_int64(json_object_object_get(data, "sessions")));
	jwrite_i64(&w, "generation",
		   json_object_get_int64(json_object_object_get(data, "generation")));
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
}

/* A string reaches the worker as it is; everything else as compact JSON. */
static enum err_code write_message(struct jwrite *w, struct json_object *message, struct err *e)
{
	const bool is_text = json_object_is_type(message, json_type_string);
	const char *text = is_text ? json_object_get_string(message)
				   : json_object_to_json_string_ext(message, COMMAND_JSON_TEXT);
	const size_t len = is_text ? (size_t)json_object_get_string_len(message) : strlen(text);

	if (len > COMMAND_MESSAGE_MAX)
		return err_set(e, ERR_PAYLOAD_TOO_LARGE, "message: has more than %zu bytes",
			       COMMAND_MESSAGE_MAX);
	if (is_text)
		jwrite_strn(w, "payload", text, len);
	else
		jwrite_raw(w, "payload", text, len);
	return ERR_OK;
}

enum err_code rest_worker_send(struct request *rq, struct err *e)
{
	static const char *const keys[] = {"message", "target", NULL};
	struct json_object *message;
	const char *target;
	struct buf fields;
	struct jwrite w;
	struct jread r;

	if (roster_get(rq->app->roster, &rq->worker, e) == NULL)
		return e->code;
	request_read(rq, &r, e);
	jread_only(&r, keys);
	message = jread_any(&r, "message");
	target = jread_str_or(&r, "target", 1, CLIENT_ID_MAX, "all");
	if (message == NULL)
		jread_fail(&r, "message", "is required");
	if (command_read_target(&r, &rq->worker, target) != ERR_OK)
		return e->code;
	buf_init(&fields, FIELDS_MAX);
	jwrite_begin(&w, &fields);
	jwrite_str(&w, "worker_id", rq->worker.text);
	jwrite_str(&w, "topic", worker_topic_name(WORKER_TOPIC_COMMANDS));
	jwrite_str(&w, "target", target);
	if (write_message(&w, message, e) == ERR_OK)
		control_call(rq->app->control, "send", &fields, SEND_TIMEOUT_MS, on_sent, rq);
	buf_fini(&fields);
	return e->code;
}
