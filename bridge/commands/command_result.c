// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/command_result.h"

#include "protocol/jread.h"

#include <stdlib.h>
#include <string.h>

static const char *const states[] = {
#define X(name, text) text,
	COMMAND_STATE_LIST(X)
#undef X
};

const char *command_state_name(enum command_state state)
{
	return states[state];
}

bool command_state_parse(const char *text, enum command_state *out)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (strcmp(states[i], text) == 0) {
			*out = (enum command_state)i;
			return true;
		}
	return false;
}

bool command_state_final(enum command_state state)
{
	return state >= COMMAND_DONE;
}

const char *command_type_desires(const char *type)
{
	if (strcmp(type, "engine_start") == 0)
		return "running";
	return strcmp(type, "engine_stop") == 0 ? "stopped" : NULL;
}

static void read_status(struct jread *r, struct command_result *out)
{
	const char *text = jread_str(r, "status", 1, 16);

	if (text != NULL && (!command_state_parse(text, &out->status) ||
			     out->status < COMMAND_ACCEPTED || out->status > COMMAND_FAILED))
		jread_fail(r, "status", "must be accepted, done or failed");
}

static void read_outcome(struct jread *r, struct command_result *out)
{
	struct json_object *result = jread_any(r, "result");
	const char *error = jread_str_or(r, "error", 0, RESULT_ERROR_MAX, NULL);

	if (jread_failed(r))
		return;
	if (result != NULL)
		out->result = strdup(json_object_to_json_string_ext(
			result, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	if (error != NULL)
		out->error = strdup(error);
	if ((result != NULL && out->result == NULL) || (error != NULL && out->error == NULL))
		err_set(r->e, ERR_OUT_OF_MEMORY, NULL);
}

enum err_code command_result_parse(const struct worker_id *worker, const char *payload,
				   size_t len, struct command_result *out, struct err *e)
{
	struct json_object *doc;
	const char *id;
	struct jread r;

	*out = (struct command_result){.worker = *worker};
	if (len > RESULT_PAYLOAD_MAX)
		return err_set(e, ERR_PAYLOAD_TOO_LARGE, NULL);
	doc = jread_parse(payload, len, e);
	if (doc == NULL)
		return e->code;
	jread_begin(&r, doc, e);
	id = jread_str(&r, "command_id", 1, COMMAND_ID_LEN);
	if (id != NULL && !command_id_parse(id, strlen(id), &out->command)) {
		out->command.text[0] = '\0';
		jread_fail(&r, "command_id", "is not a command id");
	}
	read_status(&r, out);
	read_outcome(&r, out);
	json_object_put(doc);
	return e->code;
}

void command_result_fini(struct command_result *r)
{
	free(r->result);
	free(r->error);
	r->result = r->error = NULL;
}
