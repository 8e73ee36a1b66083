// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/command_body.h"

#include "bridge/commands/command.h"

#include <string.h>

bool command_type_valid(const char *type)
{
	const size_t len = strlen(type);

	return len >= 1 && len <= COMMAND_TYPE_MAX &&
	       strspn(type,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/-") ==
		       len;
}

static void read_payload(struct jread *r, struct command_order *out)
{
	struct json_object *payload = jread_any(r, "payload");

	out->payload = payload != NULL
			       ? json_object_to_json_string_ext(payload, COMMAND_JSON_TEXT)
			       : "{}";
	if (!jread_failed(r) && strlen(out->payload) > COMMAND_PAYLOAD_MAX)
		err_set(r->e, ERR_PAYLOAD_TOO_LARGE, "payload: has more than %zu bytes",
			COMMAND_PAYLOAD_MAX);
}

void command_read_order(struct jread *r, struct command_order *out)
{
	*out = (struct command_order){
		.type = jread_str(r, "type", 1, COMMAND_TYPE_MAX),
		.target = jread_str_or(r, "target", 1, CLIENT_ID_MAX, "any"),
		.queue = jread_bool_or(r, "queue", false),
	};
	out->ttl_ms = 1000 * jread_i64_or(r, "ttl_seconds",
					  out->queue ? COMMAND_TTL_KEPT_S : COMMAND_TTL_S, 1,
					  COMMAND_TTL_MAX_S);
	if (!jread_failed(r) && !command_type_valid(out->type))
		jread_fail(r, "type",
			   "must have 1 to %d of the characters A-Z a-z 0-9 _ . : / -",
			   COMMAND_TYPE_MAX);
	read_payload(r, out);
}

void command_read_key(struct jread *r, struct command_order *out)
{
	out->key = jread_str_or(r, "idempotency_key", 1, COMMAND_KEY_MAX, NULL);
}

enum err_code command_read_target(struct jread *r, const struct worker_id *worker,
				  const char *target)
{
	struct worker_id owner;
	const char *suffix;

	if (!jread_failed(r) && strcmp(target, "any") != 0 && strcmp(target, "all") != 0 &&
	    (!client_id_split(target, &owner, &suffix) || !worker_id_equal(&owner, worker)))
		jread_fail(r, "target", "must be any, all or a client id of this worker");
	return jread_end(r);
}

static void write_raw(struct jwrite *w, const char *key, const char *json)
{
	jwrite_raw(w, key, json, json != NULL ? strlen(json) : 0);
}

void command_write(struct jwrite *w, const struct command_entry *entry)
{
	static const char *const times[COMMAND_STATES] = {
		"queued_at", "sent_at",    "accepted_at", "done_at",
		"failed_at", "expired_at", "cancelled_at"};

	jwrite_object(w, NULL);
	jwrite_str(w, "command_id", entry->id);
	jwrite_str(w, "worker_id", entry->worker);
	jwrite_str(w, "type", entry->type);
	write_raw(w, "payload", entry->payload);
	jwrite_str(w, "target", entry->target != NULL ? entry->target : "any");
	jwrite_bool(w, "queue", entry->queue);
	jwrite_str(w, "idempotency_key", entry->key);
	jwrite_str(w, "batch_id", entry->batch);
	jwrite_str(w, "created_by", entry->actor);
	jwrite_str(w, "state", command_state_name(entry->state));
	jwrite_time(w, "created_at", entry->created_ms);
	jwrite_time(w, "expires_at", entry->expires_ms);
	for (int i = 0; i < COMMAND_STATES; i++)
		jwrite_time(w, times[i], entry->at_ms[i]);
	write_raw(w, "result", entry->result);
	jwrite_str(w, "error", entry->error);
	jwrite_object_end(w);
}
