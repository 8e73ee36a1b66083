// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/unit/unit.h"

#include "plugin/options.h"

static struct options options;
static struct err e;

static enum err_code parse_one(const char *name, const char *value)
{
	e = (struct err){0};
	return options_parse(&options, &name, &value, 1, &e);
}

static void without_options_the_defaults_hold(void **state)
{
	(void)state;
	assert_int_equal(options_parse(&options, NULL, NULL, 0, &e), ERR_OK);
	assert_string_equal(options.storage_path, "/var/lib/mosquitto/rollcall");
	assert_string_equal(options.node_id, "");
	assert_string_equal(options.topic_root, "workers");
	assert_int_equal(options.transports, TRANSPORTS_ANY);
	assert_int_equal(options.hibernate_after, 10);
	assert_int_equal(options.reconnect_grace_ms, 3000);
	assert_int_equal(options.max_worker_keepalive, 120);
	assert_int_equal(options.max_sessions_per_worker, 8);
	assert_true(options.retain_presence);
	assert_false(options.app_retain);
	assert_true(options_is_control_user(&options, "rollcall-bridge"));
}

static void every_option_takes_its_value(void **state)
{
	const char *names[] = {
		"storage_path",       "node_id",         "topic_root", "transports",
		"reconnect_grace_ms", "retain_presence", "app_retain"};
	const char *values[] = {"/x", "eu-1", "fleet/eu", "websockets", "0", "false", "true"};

	(void)state;
	assert_int_equal(options_parse(&options, names, values, 7, &e), ERR_OK);
	assert_string_equal(options.storage_path, "/x");
	assert_string_equal(options.node_id, "eu-1");
	assert_string_equal(options.topic_root, "fleet/eu");
	assert_int_equal(options.transports, TRANSPORTS_WEBSOCKETS);
	assert_int_equal(options.reconnect_grace_ms, 0);
	assert_false(options.retain_presence);
	assert_true(options.app_retain);
}

static void bad_values_are_refused_by_name(void **state)
{
	static char long_text[1000];
	const struct {
		const char *name, *value;
	} rows[] = {
		{"hibernate_after",         "-1"                  },
		{"hibernate_after",         "86401"               },
		{"reconnect_grace_ms",      ""                    },
		{"reconnect_grace_ms",      "1s"                  },
		{"reconnect_grace_ms",      "-1"                  },
		{"reconnect_grace_ms",      "3600001"             },
		{"reconnect_grace_ms",      "99999999999999999999"},
		{"max_worker_keepalive",    "0"                   },
		{"max_worker_keepalive",    "65536"               },
		{"max_sessions_per_worker", "0"                   },
		{"retain_presence",         "yes"                 },
		{"app_retain",              "True"                },
		{"transports",              "tcp"                 },
		{"topic_root",              ""                    },
		{"topic_root",              "a/+/b"               },
		{"topic_root",              "#"                   },
		{"topic_root",              "/a"                  },
		{"topic_root",              "a/"                  },
		{"topic_root",              "$SYS"                },
		{"topic_root",              "rollcall/v1"         },
		{"storage_path",            ""                    },
		{"node_id",                 long_text             },
		{"control_users",           long_text             },
		{"no_such_option",          "1"                   },
	};

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (parse_one(rows[i].name, rows[i].value) != ERR_INVALID_REQUEST)
			fail_msg("%s %s was taken", rows[i].name, rows[i].value);
		assert_non_null(strstr(e.msg, rows[i].name));
	}
}

static void control_users_are_whole_names(void **state)
{
	(void)state;
	assert_int_equal(parse_one("control_users", "alice,bob,,carol"), ERR_OK);
	assert_true(options_is_control_user(&options, "alice"));
	assert_true(options_is_control_user(&options, "bob"));
	assert_true(options_is_control_user(&options, "carol"));
	assert_false(options_is_control_user(&options, "ali"));
	assert_false(options_is_control_user(&options, "alice,bob"));
	assert_false(options_is_control_user(&options, "alices"));
	assert_false(options_is_control_user(&options, ""));
	assert_false(options_is_control_user(&options, "rollcall-bridge"));
	assert_int_equal(parse_one("control_users", ""), ERR_OK);
	assert_false(options_is_control_user(&options, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_the_defaults_hold),
		cmocka_unit_test(every_option_takes_its_value),
		cmocka_unit_test(bad_values_are_refused_by_name),
		cmocka_unit_test(control_users_are_whole_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
