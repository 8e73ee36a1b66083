// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/presence.h"
#include "tests/unit/unit.h"

static const struct presence example = {
	.worker = {"wrk_a"},
	.state = PRESENCE_OFFLINE,
	.reason = REASON_CONNECTION_LOST,
	.sessions = 0,
	.pos = { 1795450000,  48211},
	.generation = 7,
	.at_ms = 1795442708542,
	.disconnected_since_ms = 1795442708542,
	.detail = "power \"failure\"",
};

static struct json_object *written(const struct presence *p)
{
	struct json_object *doc;
	struct jwrite w;
	struct buf out;
	struct err e;

	buf_init(&out, 10000);
	jwrite_begin(&w, &out);
	presence_write(&w, NULL, p, "broker-1");
	assert_false(out.failed);
	doc = jread_parse(out.data, out.len, &e);
	assert_non_null(doc);
	buf_fini(&out);
	return doc;
}

static void what_was_written_is_read_back(void **state)
{
	struct json_object *doc = written(&example);
	struct presence back;
	struct jread r;
	struct err e;

	(void)state;
	jread_begin(&r, doc, &e);
	presence_read(&r, &back);
	assert_int_equal(jread_end(&r), ERR_OK);
	assert_memory_equal(&back, &example, sizeof(back));
	json_object_put(doc);
}

static void the_event_has_the_documented_fields(void **state)
{
	struct presence online = {
		.worker = {"w"}, .state = PRESENCE_ONLINE, .sessions = 2, .at_ms = 1};
	struct json_object *doc = written(&online), *v;

	(void)state;
	assert_true(json_object_object_get_ex(doc, "connected", &v) &&
		    json_object_get_boolean(v));
	assert_true(json_object_object_get_ex(doc, "node", &v));
	assert_string_equal(json_object_get_string(v), "broker-1");
	assert_true(json_object_object_get_ex(doc, "reason", &v) && v == NULL);
	assert_true(json_object_object_get_ex(doc, "detail", &v) && v == NULL);
	json_object_put(doc);
}

static void a_reason_of_a_newer_plugin_is_no_error(void **state)
{
	struct json_object *doc = written(&example);
	struct presence back;
	struct jread r;
	struct err e;

	(void)state;
	json_object_object_add(doc, "reason", json_object_new_string("struck_by_lightning"));
	json_object_object_add(doc, "weather", json_object_new_string("bad"));
	jread_begin(&r, doc, &e);
	presence_read(&r, &back);
	assert_int_equal(jread_end(&r), ERR_OK);
	assert_int_equal(back.reason, REASON_NONE);
	json_object_put(doc);
}

static void an_unknown_state_is_an_error(void **state)
{
	struct json_object *doc = written(&example);
	struct presence back;
	struct jread r;
	struct err e;

	(void)state;
	json_object_object_add(doc, "state", json_object_new_string("floating"));
	jread_begin(&r, doc, &e);
	presence_read(&r, &back);
	assert_int_equal(jread_end(&r), ERR_INVALID_REQUEST);
	json_object_put(doc);
}

static void positions_are_ordered_by_boot_and_then_seq(void **state)
{
	(void)state;
	assert_true(
		presence_pos_after((struct presence_pos){2, 1}, (struct presence_pos){1, 9}));
	assert_true(
		presence_pos_after((struct presence_pos){1, 2}, (struct presence_pos){1, 1}));
	assert_false(
		presence_pos_after((struct presence_pos){1, 1}, (struct presence_pos){1, 1}));
	assert_false(
		presence_pos_after((struct presence_pos){1, 9}, (struct presence_pos){2, 1}));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_was_written_is_read_back),
	cmocka_unit_test(the_event_has_the_documented_fields),
	cmocka_unit_test(a_reason_of_a_newer_plugin_is_no_error),
	cmocka_unit_test(an_unknown_state_is_an_error),
	cmocka_unit_test(positions_are_ordered_by_boot_and_then_seq),
};

UNIT_MAIN(tests)
