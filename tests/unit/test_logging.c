// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/base/logging.h"
#include "tests/unit/unit.h"

#include <json-c/json.h>
#include <pthread.h>

#define AT INT64_C(1795442708542)

static struct buf line;

static int open_line(void **state)
{
	(void)state;
	buf_init(&line, 100000);
	log_set_cause(NULL);
	return 0;
}

static int close_line(void **state)
{
	(void)state;
	buf_fini(&line);
	return 0;
}

/* The JSON line's members as text, without its first two. */
static const char *json_of(const char *text)
{
	struct json_object *doc;

	buf_reset(&line);
	logging_json(&line, AT, LOG_LEVEL_WARN, "test", text);
	assert_int_equal(line.data[line.len - 1], '\n');
	doc = json_tokener_parse(line.data);
	assert_non_null(doc);
	json_object_put(doc);
	return strstr(line.data, "\"subsystem\"");
}

static void a_line_of_text_says_all(void **state)
{
	(void)state;
	logging_text(&line, AT, LOG_LEVEL_INFO, "mirror", "node=a agrees");
	assert_string_equal(line.data,
			    "2026-11-23T14:05:08.542Z info  mirror: node=a agrees\n");
}

static void a_line_in_json_is_one_object(void **state)
{
	(void)state;
	assert_string_equal(json_of("no fields \"here\""),
			    "\"subsystem\":\"test\",\"message\":\"no fields \\\"here\\\"\"}\n");
	assert_non_null(strstr(line.data, "{\"at\":\"2026-11-23T14:05:08.542Z\","
					  "\"level\":\"warn\","));
}

static void fields_of_the_message_are_members(void **state)
{
	static const struct {
		const char *text, *members;
	} rows[] = {
		{"worker=wrk_a seq=17 late",                         ",\"worker\":\"wrk_a\",\"seq\":17}\n"},
		{"n=-5, m=007 k=1.5 j=99999999999999999",
		 ",\"n\":-5,\"m\":\"007\",\"k\":\"1.5\",\"j\":\"99999999999999999\"}\n"                   },
		{"a=1 a=2",					  ",\"a\":1}\n"                        },
		{"message=x at=y level=z request=r subsystem=s a=1", ",\"a\":1}\n"                        },
		{"= x= =y 9=a A=b a-b=c",                            ",\"9\":\"a\"}\n"                    },
		{"ends with a=",				     "\"}\n"                              },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *members = strstr(json_of(rows[i].text), "\"message\":\"");

		members += strlen("\"message\":\"") + strlen(rows[i].text);
		if (*rows[i].members == ',')
			members++;
		assert_string_equal(members, rows[i].members);
	}
}

static void every_line_of_a_request_has_its_id(void **state)
{
	const struct log_cause cause = {"req-1"};

	(void)state;
	log_set_cause(&cause);
	logging_text(&line, AT, LOG_LEVEL_WARN, "db", "slow");
	assert_non_null(strstr(line.data, "db: request=req-1 slow\n"));
	assert_non_null(strstr(json_of("slow"), ",\"request\":\"req-1\",\"message\":"));
	log_set_cause(NULL);
	assert_null(strstr(json_of("slow"), "request"));
}

static void *other_thread(void *arg)
{
	bool *empty = arg;

	*empty = log_cause().id[0] == '\0';
	return NULL;
}

static void a_cause_is_its_threads_alone(void **state)
{
	const struct log_cause cause = {"req-1"};
	bool empty = false;
	pthread_t thread;

	(void)state;
	log_set_cause(&cause);
	assert_int_equal(pthread_create(&thread, NULL, other_thread, &empty), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(empty);
	assert_string_equal(log_cause().id, "req-1");
}

#define LINE_TEST(f) cmocka_unit_test_setup_teardown(f, open_line, close_line)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINE_TEST(a_line_of_text_says_all),
		LINE_TEST(a_line_in_json_is_one_object),
		LINE_TEST(fields_of_the_message_are_members),
		LINE_TEST(every_line_of_a_request_has_its_id),
		LINE_TEST(a_cause_is_its_threads_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
