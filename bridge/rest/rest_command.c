// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* POST /workers/{worker}/start, /stop, /commands */
#include "bridge/app.h"
#include "bridge/commands/command_body.h"
#include "bridge/db/db.h"
#include "bridge/http/routes.h"
#include "bridge/rest/rest_order.h"
#include "bridge/store/store_engine.h"
#include "bridge/workers/roster.h"
#include "protocol/clock.h"

#include <stdlib.h>
#include <string.h>

/* ---- start and stop ---------------------------------------------------------------------- */

/* An order that is refused because it is so already. */
struct wish {
	struct request *rq;
	const char *desired; /* a literal */
	struct err refusal;
};

static enum err_code note_wish(struct db *db, void *arg, struct err *e)
{
	const struct wish *wish = arg;

	return store_engine_wish(db, &wish->rq->worker, wish->desired, e);
}

static void on_wish_noted(void *arg, struct err *e)
{
	struct wish *wish = arg;
	struct request *rq = wish->rq;

	if (e->code == ERR_OK)
		roster_set_desired(rq->app->roster, &rq->worker, wish->desired, 0);
	respond_error(rq, e->code == ERR_OK ? &wish->refusal : e);
	free(wish);
}

/* It is no order, and yet says what is wanted: else whoever sees to the older wish would undo
 * what somebody has just asked for. */
static enum err_code refuse(struct request *rq, const struct record *record,
			    const char *desired, struct err *e)
{
	struct wish *wish;

	if (record->desired != NULL && strcmp(record->desired, desired) == 0)
		return e->code;
	wish = malloc(sizeof(*wish));
	if (wish == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	*wish = (struct wish){rq, desired, *e};
	db_submit(rq->app->db, note_wish, on_wish_noted, wish);
	e->code = ERR_OK; /* it is answered later */
	return ERR_OK;
}

/* True: the engine does that already, and *e says so. */
static bool is_so_already(const struct record *record, bool start, struct err *e)
{
	const char *status = record->latest.engine_status;

	if (start && (strcmp(status, "running") == 0 || strcmp(status, "starting") == 0))
		err_set(e, ERR_ENGINE_ALREADY_RUNNING, "the engine is %s already", status);
	else if (!start && strcmp(status, "stopped") == 0)
		err_set(e, ERR_ENGINE_ALREADY_STOPPED, NULL);
	else
		return false;
	return true;
}

static enum err_code check_options(struct json_object *options, struct err *e)
{
	if (options == NULL)
		return ERR_OK;
	if (!json_object_is_type(options, json_type_object))
		return err_set(e, ERR_INVALID_REQUEST,
			       "body: must be a JSON object of options");
	if (strlen(json_object_to_json_string_ext(options, COMMAND_JSON_TEXT)) >
	    COMMAND_PAYLOAD_MAX)
		return err_set(e, ERR_PAYLOAD_TOO_LARGE, "body: has more than %zu bytes",
			       COMMAND_PAYLOAD_MAX);
	return ERR_OK;
}

static enum err_code order_engine(struct request *rq, bool start, struct err *e)
{
	struct command_row row = {.type = start ? "engine_start" : "engine_stop",
				  .payload = "{}",
				  .target = "any"};
	const struct record *record;
	int64_t wait_s = 0;

	row.desired = command_type_desires(row.type);
	if (rq->body != NULL)
		row.payload = json_object_to_json_string_ext(rq->body, COMMAND_JSON_TEXT);
	if (check_options(rq->body, e) != ERR_OK || order_read_wait(rq, &wait_s, e) != ERR_OK ||
	    order_check(rq, false, e) != ERR_OK ||
	    (record = roster_get(rq->app->roster, &rq->worker, e)) == NULL)
		return e->code;
	if (is_so_already(record, start, e))
		return refuse(rq, record, row.desired, e);
	return order_begin(rq, &row, NULL, wait_s, e);
}

enum err_code rest_worker_start(struct request *rq, struct err *e)
{
	return order_engine(rq, true, e);
}

enum err_code rest_worker_stop(struct request *rq, struct err *e)
{
	return order_engine(rq, false, e);
}

/* ---- any command ------------------------------------------------------------------------- */

/* A worker that is away, or a broker, keeps nobody from asking again for what was ordered. */
static bool may_look(const struct command_order *order, const struct err *refused)
{
	return order->key != NULL && (refused->code == ERR_WORKER_NOT_CONNECTED ||
				      refused->code == ERR_BROKER_UNAVAILABLE);
}

static enum err_code read_order(const struct request *rq, struct command_order *out,
				struct err *e)
{
	static const char *const keys[] = {"type",  "payload",         "target", "ttl_seconds",
					   "queue", "idempotency_key", NULL};
	struct jread r;

	request_read(rq, &r, e);
	jread_only(&r, keys);
	command_read_order(&r, out);
	command_read_key(&r, out);
	return command_read_target(&r, &rq->worker, out->target);
}

enum err_code rest_command_create(struct request *rq, struct err *e)
{
	struct err refused = {0};
	struct command_order order;
	struct command_row row;
	int64_t wait_s = 0;

	if (roster_get(rq->app->roster, &rq->worker, e) == NULL ||
	    order_read_wait(rq, &wait_s, e) != ERR_OK || read_order(rq, &order, e) != ERR_OK)
		return e->code;
	if (order_check(rq, order.queue, &refused) != ERR_OK && !may_look(&order, &refused)) {
		*e = refused;
		return e->code;
	}
	row = (struct command_row){.type = order.type,
				   .payload = order.payload,
				   .target = order.target,
				   .key = order.key,
				   .desired = command_type_desires(order.type),
				   .created_ms = clock_unix_ms(),
				   .queue = order.queue};
	row.expires_ms = row.created_ms + order.ttl_ms;
	return order_begin(rq, &row, &refused, wait_s, e);
}
