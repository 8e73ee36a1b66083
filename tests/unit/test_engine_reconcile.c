// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/engine_reconcile.h"
#include "protocol/util.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* Ordered at 1000, back since 2000, said at 3000. */
static void only_who_came_back_doing_the_opposite_is_wrong(void **state)
{
	static const struct {
		const char *desired, *status;
		int64_t ordered_ms, since_ms, said_ms;
		bool wrong;
	} rows[] = {
		{"running", "stopped",  1000, 2000, 3000, true },
		{"running", "error",    1000, 2000, 3000, true },
		{"running", "running",  1000, 2000, 3000, false},
		{"running", "starting", 1000, 2000, 3000, false},
		{"running", "draining", 1000, 2000, 3000, false},
		{"running", "dancing",  1000, 2000, 3000, false},
		{"running", "",         1000, 2000, 3000, false},
		{"stopped", "running",  1000, 2000, 3000, true },
		{"stopped", "starting", 1000, 2000, 3000, true },
		{"stopped", "draining", 1000, 2000, 3000, false},
		{"stopped", "stopped",  1000, 2000, 3000, false},
		{"stopped", "error",    1000, 2000, 3000, false},
		{NULL,      "running",  1000, 2000, 3000, false},
		{"running", "stopped",  2500, 2000, 3000, false}, /* the order is newer */
		{"running", "stopped",  0,    2000, 3000, false}, /* given a moment ago */
		{"running", "stopped",  1000, 2000, 1500, false}, /* has not said since */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record k = {.desired = rows[i].desired,
				   .desired_ms = rows[i].ordered_ms,
				   .latest.engine_status_ms = rows[i].said_ms};
		struct presence p = {.state = PRESENCE_ONLINE,
				     .connected_since_ms = rows[i].since_ms};

		snprintf(k.latest.engine_status, sizeof(k.latest.engine_status), "%s",
			 rows[i].status);
		assert_int_equal(engine_is_wrong(&k, &p), rows[i].wrong);
		p.state = PRESENCE_OFFLINE;
		assert_false(engine_is_wrong(&k, &p));
		assert_false(engine_is_wrong(&k, NULL));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_who_came_back_doing_the_opposite_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
