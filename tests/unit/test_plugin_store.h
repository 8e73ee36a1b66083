// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* test_plugin_store.h - a store in a directory of its own, and what a crash does to it. */
#pragma once

#include "tests/unit/test_plugin_dir.h"

#include "plugin/store.h"
#include "plugin/store_lmdb.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#define NEVER_MS 60000 /* between commits: what is put stays in the journal */

static char dir[64];
static struct store *store;

static inline void quiet(enum log_level level, const char *subsystem, const char *text)
{
	(void)level;
	(void)subsystem;
	(void)text;
}

static inline void no_wake(void)
{
}

static inline void reopen(int64_t flush_interval_ms)
{
	struct err e = {0};

	store = store_open(dir, 64, flush_interval_ms, no_wake, &e);
	if (store == NULL)
		fail_msg("%s", e.msg);
}

static inline int open_store(void **state)
{
	(void)state;
	log_set_sink(quiet);
	make_dir(dir);
	reopen(0);
	return 0;
}

static inline int close_store(void **state)
{
	(void)state;
	store_close(store);
	remove_dir(dir);
	return 0;
}

static inline void put(const char *key, const char *value)
{
	struct err e = {0};

	assert_int_equal(
		store_put(store, STORE_OBJECTS, key, strlen(key), value, strlen(value), &e),
		ERR_OK);
}

static inline void delete (const char *key)
{
	struct err e = {0};

	assert_int_equal(store_delete(store, STORE_OBJECTS, key, strlen(key), &e), ERR_OK);
}

static inline void assert_holds(const char *key, const char *expected)
{
	struct slice value;
	bool found = store_get(store, STORE_OBJECTS, key, strlen(key), &value);

	if (expected == NULL) {
		assert_false(found);
		return;
	}
	assert_true(found);
	assert_int_equal(value.len, strlen(expected));
	assert_memory_equal(value.data, expected, value.len);
}

static inline void sync_store(void)
{
	struct err e = {0};

	if (store_sync(store, &e) != ERR_OK)
		fail_msg("%s", e.msg);
}

/* The process dies now, and another opens what it left. */
static inline void crash(void)
{
	char copy[64];

	copy_dir(dir, copy);
	store_close(store);
	remove_dir(dir);
	memcpy(dir, copy, sizeof(copy));
	reopen(0);
}

static inline void wait_durable(uint64_t lsn)
{
	int64_t until = clock_mono_us() + 5000000;

	while (store_durable(store) < lsn && clock_mono_us() < until) {
		store_collect(store);
		store_flush(store, STORE_URGENT);
	}
	assert_true(store_durable(store) >= lsn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)
