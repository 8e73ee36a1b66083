// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/workers/directory_entry.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const struct directory_entry active = {
	.worker = {"wrk_a"                  },
	.status = WORKER_UPDATE_REQUIRED,
	.n = 17,
	.tokens = { {HASH, TOKEN_CURRENT, 1795442708542}, {HASH, TOKEN_PENDING, 0}},
	.tokens_len = 2,
};

static char *written(const struct directory_entry *entry)
{
	struct buf out;
	struct jwrite w;

	buf_init(&out, 4096);
	jwrite_begin(&w, &out);
	directory_entry_write(&w, entry, "e1");
	return buf_take(&out, NULL);
}

static enum err_code parsed(const char *text, struct directory_entry *out, struct err *e)
{
	struct json_object *doc = jread_parse(text, strlen(text), e);

	*e = (struct err){0};
	if (directory_entry_read(doc, 0, out, e) == ERR_OK)
		e->code = ERR_OK;
	json_object_put(doc);
	return e->code;
}

static void an_entry_is_written(void **state)
{
	char *text = written(&active);

	(void)state;
	assert_string_equal(
		text,
		"{\"worker_id\":\"wrk_a\",\"status\":\"update_required\",\"token_hashes\":["
		"{\"hash\":\"" HASH "\",\"expires_at\":\"2026-11-23T14:05:08.542Z\","
		"\"role\":\"current\"},{\"hash\":\"" HASH
		"\",\"expires_at\":null,\"role\":\"pending\"}],"
		"\"revision\":{\"epoch\":\"e1\",\"n\":17}}");
	free(text);
}

static void what_is_written_is_read_back(void **state)
{
	char *text = written(&active);
	struct directory_entry got;
	struct err e;

	(void)state;
	assert_int_equal(parsed(text, &got, &e), ERR_OK);
	assert_string_equal(got.worker.text, "wrk_a");
	assert_int_equal(got.status, WORKER_UPDATE_REQUIRED);
	assert_int_equal(got.n, 17);
	assert_int_equal(got.tokens_len, 2);
	assert_string_equal(got.tokens[0].hash, HASH);
	assert_int_equal(got.tokens[0].expires_ms, 1795442708542);
	assert_int_equal(got.tokens[1].role, TOKEN_PENDING);
	assert_int_equal(got.tokens[1].expires_ms, 0);
	free(text);
}

static void a_tombstone_has_nothing_but_its_revision(void **state)
{
	const struct directory_entry gone = {.worker = {"wrk_a"}, .deleted = true, .n = 18};
	char *text = written(&gone);
	struct directory_entry got;
	struct err e;

	(void)state;
	assert_string_equal(
		text, "{\"worker_id\":\"wrk_a\",\"revision\":{\"epoch\":\"e1\",\"n\":18}}");
	free(text);
	assert_int_equal(
		parsed("{\"worker_id\":\"wrk_a\",\"status\":\"deleted\",\"token_hashes\":[],"
		       "\"revision\":{\"epoch\":\"e1\",\"n\":18}}",
		       &got, &e),
		ERR_OK);
	assert_true(got.deleted);
	assert_int_equal(got.n, 18);
}

static void what_is_wrong_is_refused(void **state)
{
	static const char *const rows[] = {
		"{}",
		"{\"worker_id\":\"a b\",\"status\":\"active\",\"revision\":{\"n\":1}}",
		"{\"worker_id\":\"a\",\"status\":\"asleep\",\"revision\":{\"n\":1}}",
		"{\"worker_id\":\"a\",\"status\":\"active\"}",
		"{\"worker_id\":\"a\",\"status\":\"active\",\"revision\":{}}",
		"{\"worker_id\":\"a\",\"status\":\"active\",\"revision\":{\"n\":1},"
		"\"token_hashes\":[{\"hash\":\"x\",\"role\":\"current\"}]}",
		"{\"worker_id\":\"a\",\"status\":\"active\",\"revision\":{\"n\":1},"
		"\"token_hashes\":[1,2,3,4]}",
	};
	struct directory_entry got;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(parsed(rows[i], &got, &e), ERR_INVALID_REQUEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_written),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(a_tombstone_has_nothing_but_its_revision),
		cmocka_unit_test(what_is_wrong_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
