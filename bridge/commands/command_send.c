// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/command_send.h"

#include "bridge/app.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"
#include "protocol/topics.h"

#include <string.h>

#define SEND_TIMEOUT_MS 1000
#define MESSAGE_BYTES ((size_t)1024 * 1024)

void command_send(struct app *app, const struct command_row *row, control_done_f done,
		  void *arg)
{
	int64_t left_ms = row->expires_ms - clock_unix_ms();
	struct buf fields;
	struct jwrite w;

	buf_init(&fields, MESSAGE_BYTES);
	jwrite_begin(&w, &fields);
	jwrite_str(&w, "worker_id", row->worker.text);
	jwrite_str(&w, "topic", worker_topic_name(WORKER_TOPIC_COMMANDS));
	jwrite_str(&w, "target", row->target);
	jwrite_i64(&w, "message_expiry", left_ms > 1000 ? (left_ms + 999) / 1000 : 1);
	jwrite_object(&w, "payload");
	jwrite_str(&w, "command_id", row->id.text);
	jwrite_str(&w, "type", row->type);
	jwrite_time(&w, "expires_at", row->expires_ms);
	jwrite_raw(&w, "payload", row->payload, strlen(row->payload));
	jwrite_object_end(&w);
	control_call(app->control, "send", &fields, SEND_TIMEOUT_MS, done, arg);
	buf_fini(&fields);
}

bool command_reached_nobody(const struct err *e)
{
	return e->code == ERR_NOT_CONNECTED || e->code == ERR_WORKER_NOT_FOUND;
}

int64_t command_generation(struct json_object *data)
{
	return json_object_get_int64(json_object_object_get(data, "generation"));
}
