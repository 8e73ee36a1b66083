// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET /workers/{worker}/connection, DELETE /workers/{worker}/sessions[/{client}] */
#include "bridge/app.h"
#include "bridge/db/db.h"
#include "bridge/http/routes.h"
#include "bridge/mqtt/control.h"
#include "bridge/presence/mirror.h"
#include "bridge/store/store_audit.h"
#include "bridge/workers/roster.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"

#include <stdlib.h>

#define TIMEOUT_MS 1000
#define FIELDS_MAX 1024
#define ANSWER_MAX ((size_t)1024 * 1024)

/* For a worker that the plugin has not been told of yet: it cannot have been connected. */
static void answer_never(struct request *rq)
{
	struct jwrite w;
	struct buf body;

	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "worker_id", rq->worker.text);
	jwrite_str(&w, "state", presence_state_name(PRESENCE_OFFLINE));
	jwrite_bool(&w, "connected", false);
	jwrite_i64(&w, "session_count", 0);
	jwrite_str(&w, "node", mirror_node(rq->app->mirror));
	jwrite_i64(&w, "generation", 0);
	jwrite_null(&w, "reason");
	jwrite_null(&w, "detail");
	jwrite_null(&w, "connected_since");
	jwrite_null(&w, "disconnected_since");
	jwrite_bool(&w, "hibernated", false);
	jwrite_null(&w, "reported_state");
	jwrite_null(&w, "reported_at");
	jwrite_array(&w, "sessions");
	jwrite_array_end(&w);
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
}

static void on_connection(void *arg, struct json_object *data, struct err *e)
{
	struct request *rq = arg;
	struct json_object *connection = json_object_object_get(data, "connection");
	struct buf body;

	if (e->code == ERR_WORKER_NOT_FOUND) {
		answer_never(rq);
		return;
	}
	if (e->code == ERR_OK && !json_object_is_type(connection, json_type_object))
		err_set(e, ERR_INTERNAL, "the broker's answer has no connection");
	if (e->code != ERR_OK) {
		respond_error(rq, e);
		return;
	}
	buf_init(&body, ANSWER_MAX);
	buf_add_str(&body, json_object_to_json_string_ext(
				   connection,
				   JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	respond_json(rq, 200, &body);
}

enum err_code rest_connection_get(struct request *rq, struct err *e)
{
	struct buf fields;
	struct jwrite w;

	if (roster_get(rq->app->roster, &rq->worker, e) == NULL)
		return e->code;
	buf_init(&fields, FIELDS_MAX);
	jwrite_begin(&w, &fields);
	jwrite_str(&w, "worker_id", rq->worker.text);
	control_call(rq->app->control, "getConnection", &fields, TIMEOUT_MS, on_connection, rq);
	buf_fini(&fields);
	return ERR_OK;
}

/* ---- kick -------------------------------------------------------------------------------- */

struct kick {
	struct request *rq;
	struct json_object *detail; /* of the audit row */
	int64_t sessions;
};

static enum err_code record_kick(struct db *db, void *arg, struct err *e)
{
	const struct kick *kick = arg;
	const struct audit_row row = {
		.worker_id = kick->rq->worker.text,
		.event = "kicked",
		.actor = kick->rq->who.name,
		.address = kick->rq->address,
		.request_id = kick->rq->id,
		.detail = json_object_to_json_string(kick->detail),
	};

	return store_audit_add(db, &row, e);
}

/* The sessions are closed, whether or not that could be written down. */
static void on_recorded(void *arg, struct err *e)
{
	struct kick *kick = arg;
	struct jwrite w;
	struct buf body;

	if (e->code != ERR_OK)
		log_warn("worker", "worker=%s kicked by=%s is not in the audit trail: %s",
			 kick->rq->worker.text, kick->rq->who.name, e->msg);
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_bool(&w, "success", true);
	jwrite_i64(&w, "sessions", kick->sessions);
	jwrite_object_end(&w);
	respond_json(kick->rq, 200, &body);
	json_object_put(kick->detail);
	free(kick);
}

static struct json_object *make_detail(const struct request *rq, int64_t sessions)
{
	struct json_object *detail = json_object_new_object();

	json_object_object_add(detail, "sessions", json_object_new_int64(sessions));
	if (rq->param != NULL)
		json_object_object_add(detail, "client_id", json_object_new_string(rq->param));
	return detail;
}

static void on_kicked(void *arg, struct json_object *data, struct err *e)
{
	struct request *rq = arg;
	struct kick *kick;

	if (e->code == ERR_NOT_CONNECTED || e->code == ERR_WORKER_NOT_FOUND)
		err_set(e, ERR_WORKER_NOT_CONNECTED,
			rq->param != NULL ? "there is no such live session" : NULL);
	kick = e->code == ERR_OK ? calloc(1, sizeof(*kick)) : NULL;
	if (e->code == ERR_OK && kick == NULL)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (kick == NULL) {
		respond_error(rq, e);
		return;
	}
	kick->rq = rq;
	kick->sessions = json_object_get_int64(json_object_object_get(data, "sessions"));
	kick->detail = make_detail(rq, kick->sessions);
	db_submit(rq->app->db, record_kick, on_recorded, kick);
}

enum err_code rest_session_kick(struct request *rq, struct err *e)
{
	struct worker_id owner;
	const char *suffix;
	struct buf fields;
	struct jwrite w;

	if (roster_get(rq->app->roster, &rq->worker, e) == NULL)
		return e->code;
	if (rq->param != NULL && (!client_id_split(rq->param, &owner, &suffix) ||
				  !worker_id_equal(&owner, &rq->worker)))
		return err_set(e, ERR_INVALID_REQUEST, "client_id: is none of this worker's");
	buf_init(&fields, FIELDS_MAX);
	jwrite_begin(&w, &fields);
	jwrite_str(&w, "worker_id", rq->worker.text);
	if (rq->param != NULL)
		jwrite_str(&w, "client_id", rq->param);
	jwrite_str(&w, "code", "KICKED");
	jwrite_str(&w, "message", "an operator closed this session");
	control_call(rq->app->control, "disconnect", &fields, TIMEOUT_MS, on_kicked, rq);
	buf_fini(&fields);
	return ERR_OK;
}
