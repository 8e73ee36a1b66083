// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/presence_scan.h"
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

/* ---- the quick reader ---- */

#define EVENTS 3

static const struct presence batch[EVENTS] = {
	{.worker = {"wrk_a"},
	 .state = PRESENCE_ONLINE,
	 .sessions = 2,
	 .pos = {1795450000, 48211},
	 .generation = 7,
	 .at_ms = 1795442708542,
	 .connected_since_ms = 1795442708001,
	 .address = "fe80::1"},
	{.worker = {"imported-2"},
	 .state = PRESENCE_RECONNECTING,
	 .reason = REASON_CONNECTION_LOST,
	 .pos = {1795450000, 48212},
	 .at_ms = 1,
	 .disconnected_since_ms = 1,
	 .detail = "power failure"},
	{.worker = {"wrk_c"},                   .reason = REASON_BROKER_SHUTDOWN, .pos = {1795450000, 48213}     },
};

/* As the plugin writes it. */
static void write_batch(struct buf *out, size_t len)
{
	struct jwrite w;

	buf_init(out, 100000);
	jwrite_begin(&w, out);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "node", "broker-1");
	jwrite_i64(&w, "boot", 1795450000);
	jwrite_array(&w, "events");
	for (size_t i = 0; i < len; i++) {
		jwrite_object(&w, NULL);
		presence_write_fields(&w, &batch[i], "broker-1");
		presence_write_address(&w, &batch[i]);
		jwrite_object_end(&w);
	}
	jwrite_array_end(&w);
	jwrite_i64(&w, "clock_us", 123456789);
	jwrite_object_end(&w);
	assert_false(out->failed);
}

/* How many events were read before the end, or before what is odd. */
static size_t scan(const char *text, size_t len, enum scanned *last)
{
	char *exact = malloc(len + 1); /* so that a byte behind it is noticed */
	struct presence_scan s;
	struct presence p;
	size_t n = 0;

	memcpy(exact, text, len);
	*last = SCANNED_ODD;
	if (presence_scan_begin(&s, exact, len))
		while ((*last = presence_scan_next(&s, &p)) == SCANNED_EVENT)
			n++;
	if (*last == SCANNED_END)
		assert_int_equal(s.clock_us, 123456789);
	free(exact);
	return n;
}

static void a_batch_is_read_back_quickly(void **state)
{
	struct presence_scan s;
	struct presence p;
	struct buf text;

	(void)state;
	write_batch(&text, EVENTS);
	assert_true(presence_scan_begin(&s, text.data, text.len));
	for (size_t i = 0; i < EVENTS; i++) {
		assert_int_equal(presence_scan_next(&s, &p), SCANNED_EVENT);
		assert_memory_equal(&p, &batch[i], sizeof(p));
	}
	assert_int_equal(presence_scan_next(&s, &p), SCANNED_END);
	assert_int_equal(s.clock_us, 123456789);
	buf_fini(&text);
}

static void a_batch_that_is_cut_off_is_odd(void **state)
{
	enum scanned last;
	struct buf text;

	(void)state;
	write_batch(&text, EVENTS);
	for (size_t len = 0; len < text.len; len++) {
		assert_true(scan(text.data, len, &last) <= EVENTS);
		assert_int_equal(last, SCANNED_ODD);
	}
	buf_fini(&text);
}

/* Whatever character is changed: it is odd, or JSON. */
static void what_is_no_json_is_odd(void **state)
{
	struct json_object *doc;
	enum scanned last;
	struct buf text;
	struct err e;

	(void)state;
	write_batch(&text, EVENTS);
	for (size_t i = 0; i + sizeof("123456789}") < text.len; i++) {
		char was = text.data[i];

		for (const char *c = "\"\\{}[],:0n-"; *c != '\0'; c++) {
			text.data[i] = *c;
			scan(text.data, text.len, &last);
			doc = jread_parse(text.data, text.len, &e);
			assert_true(last == SCANNED_ODD || doc != NULL);
			json_object_put(doc);
		}
		text.data[i] = was;
	}
	buf_fini(&text);
}

static void other_forms_are_odd(void **state)
{
	static const struct {
		const char *found, *instead;
	} forms[] = {
		{"\"online\"",         "\"floating\""                      },
		{"\"sessions\":2",     "\"sessions\":02"                   },
		{"\"sessions\":2",     "\"sessions\":-2"                   },
		{"\"sessions\":2",     "\"sessions\": 2"                   },
		{"\"sessions\":2",     "\"sessions\":3000000000"           },
		{"\"generation\":7",   "\"generation\":1234567890123456789"},
		{"\"reason\":null",    "\"reason\":\"lightning\""          },
		{"\"detail\":null",    "\"detail\":\"a\\nb\""              },
		{"\"detail\":null",    "\"detail\":\"\xc3\xa9\""           },
		{"wrk_a",              "wrk a"                             },
		{"542Z",               "542X"                              },
		{"\"connected\":true", "\"connected\":1"                   },
		{"\"address\"",        "\"addresses\""                     },
	};
	enum scanned last;
	struct buf text, odd;

	(void)state;
	write_batch(&text, 1);
	assert_int_equal(scan(text.data, text.len, &last), 1);
	assert_int_equal(last, SCANNED_END);
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		const char *at = strstr(text.data, forms[i].found);

		assert_non_null(at);
		buf_init(&odd, 100000);
		buf_add(&odd, text.data, (size_t)(at - text.data));
		buf_add_str(&odd, forms[i].instead);
		buf_add_str(&odd, at + strlen(forms[i].found));
		assert_int_equal(scan(odd.data, odd.len, &last), 0);
		assert_int_equal(last, SCANNED_ODD);
		buf_fini(&odd);
	}
	buf_fini(&text);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_batch_is_read_back_quickly),
	cmocka_unit_test(a_batch_that_is_cut_off_is_odd),
	cmocka_unit_test(what_is_no_json_is_odd),
	cmocka_unit_test(other_forms_are_odd),
	cmocka_unit_test(what_was_written_is_read_back),
	cmocka_unit_test(the_event_has_the_documented_fields),
	cmocka_unit_test(a_reason_of_a_newer_plugin_is_no_error),
	cmocka_unit_test(an_unknown_state_is_an_error),
	cmocka_unit_test(positions_are_ordered_by_boot_and_then_seq),
};

UNIT_MAIN(tests)
