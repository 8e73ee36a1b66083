// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* What a worker says about a command on `workers/{id}/results`. */
#include "bridge/commands/command_result.h"
#include "protocol/jread.h"
#include "protocol/utf8.h"
#include "tests/fuzz/fuzz.h"

static void check_json(const char *text)
{
	/* In an array, for the value may be of any kind, and one level deeper. */
	const size_t len = strlen(text) + 2;
	char *wrapped = malloc(len + 1);
	struct err e;
	struct json_object *doc;

	must(wrapped != NULL);
	snprintf(wrapped, len + 1, "[%s]", text);
	doc = jread_parse_envelope(wrapped, len, &e);
	must(doc != NULL && json_object_array_length(doc) == 1);
	json_object_put(doc);
	free(wrapped);
}

FUZZ_NEEDS_NOTHING_BEFORE

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct worker_id worker = {"wrk_a"};
	struct command_result r;
	struct command_id id;
	struct err e = {0};
	enum err_code code = command_result_parse(&worker, (const char *)data, len, &r, &e);

	must(code == e.code && worker_id_equal(&r.worker, &worker));
	if (r.command.text[0] != '\0')
		must(command_id_parse(r.command.text, strlen(r.command.text), &id));
	if (code == ERR_OK) {
		must(len <= RESULT_PAYLOAD_MAX && r.command.text[0] != '\0');
		must(r.status >= COMMAND_ACCEPTED && r.status <= COMMAND_FAILED);
		if (r.result != NULL)
			check_json(r.result);
		if (r.error != NULL)
			must(utf8_valid(r.error, strlen(r.error)));
		must(r.error == NULL || strlen(r.error) <= (size_t)RESULT_ERROR_MAX * 4);
	}
	command_result_fini(&r);
	return 0;
}
