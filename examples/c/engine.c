// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* engine.c - obeys engine_start and engine_stop, each once and in time, and repeats what it
 * answered until the bridge says that it is stored.
 */
#define _GNU_SOURCE
#include "worker.h"
#include <string.h>
#include <time.h>

enum { SEEN_MAX = 1000, ID_SIZE = 80, TEXT_SIZE = 256 };

const char *engine_status = "stopped";
static char seen[SEEN_MAX][ID_SIZE]; /* command ids, a ring */
static unsigned seen_n;
static struct json_object *unstored; /* texts of results, oldest first */

static const char *text(struct json_object *object, const char *key)
{
	return json_object_get_string(json_object_object_get(object, key));
}

static void answer(const char *command_id, const char *status)
{
	char json[TEXT_SIZE];

	snprintf(json, sizeof(json), "{\"command_id\":\"%s\",\"status\":\"%s\"}", command_id,
		 status);
	if (!unstored)
		unstored = json_object_new_array();
	json_object_array_add(unstored, json_object_new_string(json));
	publish("results", "%s", json);
}

static bool is_late(const char *expires)
{
	struct tm at = {0};

	return expires && strptime(expires, "%Y-%m-%dT%H:%M:%S", &at) &&
	       timegm(&at) < time(NULL);
}

static bool is_known(const char *command_id)
{
	for (unsigned i = 0; i < SEEN_MAX; i++)
		if (strcmp(seen[i], command_id) == 0)
			return true;
	snprintf(seen[seen_n++ % SEEN_MAX], ID_SIZE, "%s", command_id);
	return false;
}

void engine_obey(struct json_object *command)
{
	const char *id = text(command, "command_id"), *type = text(command, "type");

	if (!id || !type || is_late(text(command, "expires_at")) || is_known(id))
		return;
	printf("%s (%s)\n", type, id);
	if (strcmp(type, "engine_start") != 0 && strcmp(type, "engine_stop") != 0) {
		answer(id, "failed");
		return;
	}
	answer(id, "accepted");
	engine_status = strcmp(type, "engine_start") == 0 ? "running" : "stopped";
	publish("state", "{\"engine_status\":\"%s\"}", engine_status);
	answer(id, "done");
}

/* Drops the oldest result of that command: it may have another on its way. */
static void forget(const char *command_id)
{
	size_t n = unstored ? json_object_array_length(unstored) : 0;

	for (size_t i = 0; command_id && i < n; i++)
		if (strstr(json_object_get_string(json_object_array_get_idx(unstored, i)),
			   command_id)) {
			json_object_array_del_idx(unstored, i, 1);
			return;
		}
}

void engine_results_stored(struct json_object *ack)
{
	struct json_object *ids = NULL, *rejected = NULL;

	if (json_object_object_get_ex(ack, "command_ids", &ids))
		for (size_t i = 0; i < json_object_array_length(ids); i++)
			forget(json_object_get_string(json_object_array_get_idx(ids, i)));
	if (json_object_object_get_ex(ack, "rejected", &rejected))
		for (size_t i = 0; i < json_object_array_length(rejected); i++)
			forget(text(json_object_array_get_idx(rejected, i), "command_id"));
}

void engine_results_repeat(void)
{
	size_t n = unstored ? json_object_array_length(unstored) : 0;

	for (size_t i = 0; i < n; i++)
		publish("results", "%s",
			json_object_get_string(json_object_array_get_idx(unstored, i)));
}
