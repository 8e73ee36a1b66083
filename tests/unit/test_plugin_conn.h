// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* test_plugin_conn.h - a plugin with one worker, on brokers with and without a connect event.
 */
#pragma once

#include "tests/unit/test_plugin_fake.h"

#define W "wrk_a"
#define CONN_LOST 7
#define TAKEN_OVER 142

static struct world world;

/* For both kinds of broker: with and without a connect event. */
static inline int open_20(void **state)
{
	(void)state;
	world_open(&world, false, "60000");
	put_worker(&world, W);
	assert_told(NULL);
	return 0;
}

static inline int open_21(void **state)
{
	(void)state;
	world_open(&world, true, "60000");
	put_worker(&world, W);
	assert_told(NULL);
	return 0;
}

static inline int open_21_without_grace(void **state)
{
	(void)state;
	world_open(&world, true, "0");
	put_worker(&world, W);
	assert_told(NULL);
	return 0;
}

static inline int close_world(void **state)
{
	(void)state;
	assert_no_gap();
	world_close(&world);
	return 0;
}

static inline bool in_memory(const char *id)
{
	struct worker_id worker_id = worker(id);

	return connset_find(&world.p.conns, &worker_id) != NULL;
}

#define ON_20(test) cmocka_unit_test_setup_teardown(test, open_20, close_world)
#define ON_21(test) cmocka_unit_test_setup_teardown(test, open_21, close_world)
#define NO_GRACE(test) cmocka_unit_test_setup_teardown(test, open_21_without_grace, close_world)
