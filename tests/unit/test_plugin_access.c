// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/unit/unit.h"

#include "plugin/access.h"
#include "protocol/util.h"

static const struct access_rules rules = {"workers", false};
static const struct access_rules with_retain = {"workers", true};
static const struct access_rules other_root = {"fleet/eu", false};

static const char *const op_names[] = {"read", "write", "subscribe", "unsubscribe"};

#define R ACCESS_READ
#define W ACCESS_WRITE
#define S ACCESS_SUBSCRIBE
#define U ACCESS_UNSUBSCRIBE

static void check(enum access got, enum access expected, enum access_op op, const char *topic)
{
	if (got != expected)
		fail_msg("%s %s: %d, expected %d", op_names[op], topic, got, expected);
}

static enum access ask_worker(const struct access_rules *r, enum access_phase phase,
			      enum access_op op, const char *topic, bool retain)
{
	struct worker_id id = {"wrk_a"};
	struct access_request rq = {op, topic, retain};
	enum worker_topic kind;

	return access_worker(r, &id, phase, &rq, &kind);
}

static void worker_has_its_own_rows_and_nothing_else(void **state)
{
	static const struct {
		const char *topic;
		bool write, read;
	} rows[] = {
		{"workers/wrk_a/metrics",           true,  false},
		{"workers/wrk_a/metrics/ack",       false, true },
		{"workers/wrk_a/state",             true,  false},
		{"workers/wrk_a/commands",          false, true },
		{"workers/wrk_a/results",           true,  false},
		{"workers/wrk_a/results/ack",       false, true },
		{"workers/wrk_a/token",             false, true },
		{"workers/wrk_a/token/ack",         true,  false},
		{"workers/wrk_a/notice",            false, true },
		{"workers/wrk_a/will",              true,  false},
		{"workers/wrk_a/presence",          false, true },
		{"workers/wrk_a/app/x",             true,  true },
		{"workers/wrk_a/app/x/y",           true,  true },
		{"workers/wrk_a/app/#",             true,  true },
		{"workers/wrk_a/apples",            false, false},
		{"workers/wrk_a/metrics/",          false, false},
		{"workers/wrk_a/metrics/x",         false, false},
		{"workers/wrk_a/#",                 false, false},
		{"workers/wrk_a/+",                 false, false},
		{"workers/wrk_a",                   false, false},
		{"workers/wrk_a/",                  false, false},
		{"workers/wrk_b/metrics",           false, false},
		{"workers/wrk_b/commands",          false, false},
		{"workers/wrk_ab/metrics",          false, false},
		{"workers/wrk_/metrics",            false, false},
		{"workers/+/metrics",               false, false},
		{"workers/+/commands",              false, false},
		{"workers/#",                       false, false},
		{"Workers/wrk_a/metrics",           false, false},
		{"/workers/wrk_a/metrics",          false, false},
		{"workers//wrk_a/metrics",          false, false},
		{"$share/g/workers/wrk_a/commands", false, false},
		{"$CONTROL/rollcall/v1",            false, false},
		{"$CONTROL/rollcall/v1/response",   false, false},
		{"$SYS/broker/uptime",              false, false},
		{"rollcall/v1/presence",            false, false},
		{"#",			       false, false},
		{"+/+/commands",                    false, false},
		{"",				false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *topic = rows[i].topic;
		enum access read = rows[i].read ? ACCESS_ALLOW : ACCESS_DENY;

		check(ask_worker(&rules, PHASE_LIVE, W, topic, false),
		      rows[i].write ? ACCESS_ALLOW : ACCESS_DENY, W, topic);
		check(ask_worker(&rules, PHASE_LIVE, S, topic, false), read, S, topic);
		check(ask_worker(&rules, PHASE_LIVE, R, topic, false), read, R, topic);
		for (unsigned op = R; op <= U; op++)
			check(ask_worker(&rules, PHASE_NONE, op, topic, false), ACCESS_DENY, op,
			      topic);
	}
}

static void worker_may_retain_nothing_but_app_where_the_option_says_so(void **state)
{
	(void)state;
	assert_int_equal(ask_worker(&rules, PHASE_LIVE, W, "workers/wrk_a/metrics", true),
			 ACCESS_DENY);
	assert_int_equal(ask_worker(&rules, PHASE_LIVE, W, "workers/wrk_a/will", true),
			 ACCESS_DENY);
	assert_int_equal(ask_worker(&rules, PHASE_LIVE, W, "workers/wrk_a/app/x", true),
			 ACCESS_DENY);
	assert_int_equal(ask_worker(&with_retain, PHASE_LIVE, W, "workers/wrk_a/app/x", true),
			 ACCESS_ALLOW);
	assert_int_equal(ask_worker(&with_retain, PHASE_LIVE, W, "workers/wrk_a/state", true),
			 ACCESS_DENY);
}

static void worker_whose_session_ended_may_only_leave_its_will(void **state)
{
	(void)state;
	assert_int_equal(ask_worker(&rules, PHASE_ENDED, W, "workers/wrk_a/will", false),
			 ACCESS_ALLOW);
	assert_int_equal(ask_worker(&rules, PHASE_ENDED, W, "workers/wrk_a/will", true),
			 ACCESS_DENY);
	assert_int_equal(ask_worker(&rules, PHASE_ENDED, W, "workers/wrk_b/will", false),
			 ACCESS_DENY);
	assert_int_equal(ask_worker(&rules, PHASE_ENDED, W, "workers/wrk_a/metrics", false),
			 ACCESS_DENY);
	assert_int_equal(ask_worker(&rules, PHASE_ENDED, W, "workers/wrk_a/app/x", false),
			 ACCESS_DENY);
	assert_int_equal(ask_worker(&rules, PHASE_ENDED, R, "workers/wrk_a/commands", false),
			 ACCESS_DENY);
	assert_int_equal(ask_worker(&rules, PHASE_ENDED, S, "workers/wrk_a/commands", false),
			 ACCESS_DENY);
	assert_int_equal(ask_worker(&rules, PHASE_ENDED, U, "workers/wrk_a/commands", false),
			 ACCESS_DENY);
}

static void another_topic_root_moves_the_rows(void **state)
{
	(void)state;
	assert_int_equal(
		ask_worker(&other_root, PHASE_LIVE, W, "fleet/eu/wrk_a/metrics", false),
		ACCESS_ALLOW);
	assert_int_equal(ask_worker(&other_root, PHASE_LIVE, W, "workers/wrk_a/metrics", false),
			 ACCESS_DENY);
	assert_int_equal(ask_worker(&other_root, PHASE_LIVE, W, "fleet/euwrk_a/metrics", false),
			 ACCESS_DENY);
}

static void control_users_have_rollcalls_topics_and_the_broker_decides_the_rest(void **state)
{
	static const struct {
		const char *topic;
		enum access expected;
	} rows[] = {
		{"$CONTROL/rollcall/v1",             ACCESS_ALLOW},
		{"$CONTROL/rollcall/v1/response",    ACCESS_ALLOW},
		{"rollcall/v1/presence",             ACCESS_ALLOW},
		{"rollcall/v1/#",                    ACCESS_ALLOW},
		{"workers/+/metrics",                ACCESS_ALLOW},
		{"workers/wrk_a/commands",           ACCESS_ALLOW},
		{"$share/bridges/workers/+/metrics", ACCESS_ALLOW},
		{"$share/bridges/rollcall/v1/audit", ACCESS_ALLOW},
		{"workers/wrk_a/app/x",              ACCESS_DEFER},
		{"$CONTROL/dynamic-security/v1",     ACCESS_DEFER},
		{"$CONTROL/#",                       ACCESS_DEFER},
		{"#",				ACCESS_DEFER},
		{"$share/bridges",                   ACCESS_DEFER},
		{"other/topic",                      ACCESS_DEFER},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned op = R; op <= U; op++) {
			struct access_request rq = {op, rows[i].topic, false};

			check(access_control(&rules, &rq), rows[i].expected, op, rows[i].topic);
		}
}

static void others_may_not_write_where_rollcall_speaks(void **state)
{
	static const struct {
		const char *topic;
		enum access write;
	} rows[] = {
		{"workers/wrk_a/commands",        ACCESS_DENY },
		{"workers/wrk_a/metrics",         ACCESS_DENY },
		{"workers/wrk_a/anything",        ACCESS_DENY },
		{"workers/wrk_a",                 ACCESS_DENY },
		{"workers/not an id/commands",    ACCESS_DENY },
		{"rollcall/v1/presence",          ACCESS_DENY },
		{"rollcall/v1/anything",          ACCESS_DENY },
		{"$CONTROL/rollcall/v1",          ACCESS_DENY },
		{"$CONTROL/rollcall/v1/response", ACCESS_DENY },
		{"workers/wrk_a/app/x",           ACCESS_DEFER},
		{"workers",                       ACCESS_DEFER},
		{"rollcall/v2/x",                 ACCESS_DEFER},
		{"sensors/1",                     ACCESS_DEFER},
		{"$CONTROL/dynamic-security/v1",  ACCESS_DEFER},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned op = R; op <= U; op++) {
			struct access_request rq = {op, rows[i].topic, false};

			check(access_other(&rules, &rq), op == W ? rows[i].write : ACCESS_DEFER,
			      op, rows[i].topic);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worker_has_its_own_rows_and_nothing_else),
		cmocka_unit_test(worker_may_retain_nothing_but_app_where_the_option_says_so),
		cmocka_unit_test(worker_whose_session_ended_may_only_leave_its_will),
		cmocka_unit_test(another_topic_root_moves_the_rows),
		cmocka_unit_test(
			control_users_have_rollcalls_topics_and_the_broker_decides_the_rest),
		cmocka_unit_test(others_may_not_write_where_rollcall_speaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
