// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/metrics/metric_queue.h"
#include "tests/unit/unit.h"

#define ALL 100000
#define NO_LIMIT SIZE_MAX

static struct metric_queue *queue;

static int open_queue(void **state)
{
	struct err e = {0};

	(void)state;
	queue = metric_queue_new(&e);
	return queue == NULL;
}

static int close_queue(void **state)
{
	(void)state;
	metric_queue_free(queue);
	return 0;
}

static struct metric_report *report(const char *worker, int64_t seq, const char *extra)
{
	struct metric_source from = {.received_ms = 1};
	struct metric_report *r;

	snprintf(from.worker.text, sizeof(from.worker.text), "%s", worker);
	r = metric_report_new(&from, extra, strlen(extra));
	assert_non_null(r);
	r->seq = seq;
	return r;
}

/* How many of n reports of the worker are taken. */
static size_t put(const char *worker, size_t n)
{
	size_t taken = 0;

	for (size_t i = 0; i < n; i++) {
		struct metric_report *refused =
			metric_queue_put(queue, report(worker, (int64_t)i, ""));

		taken += refused == NULL;
		metric_report_free_list(refused);
	}
	return taken;
}

static size_t length(const struct metric_report *list)
{
	size_t n = 0;

	for (; list != NULL; list = list->next)
		n++;
	return n;
}

static struct metric_report *take(size_t reports, size_t bytes)
{
	return metric_queue_take(queue, 0, reports, bytes);
}

static void drop(struct metric_report *list)
{
	metric_queue_done(queue, list);
	metric_report_free_list(list);
}

static void first_in_is_first_out(void **state)
{
	struct metric_report *list;

	(void)state;
	assert_int_equal(put("a", 5), 5);
	list = take(2, NO_LIMIT);
	assert_int_equal(length(list), 2);
	assert_true(list->seq == 0 && list->next->seq == 1);
	assert_int_equal(metric_queue_len(queue), 5); /* they still take up room */
	drop(list);
	assert_int_equal(metric_queue_len(queue), 3);
	list = take(ALL, NO_LIMIT);
	assert_true(list->seq == 2 && length(list) == 3);
	drop(list);
	assert_int_equal(put("a", 1), 1);
	drop(take(ALL, NO_LIMIT));
}

static void a_batch_has_about_so_many_bytes(void **state)
{
	struct metric_report *list;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_null(metric_queue_put(queue, report("a", i, "{\"key\":1234567}")));
	list = take(ALL, 20); /* of 15 each */
	assert_int_equal(length(list), 2);
	drop(list);
	drop(take(ALL, NO_LIMIT));
}

static void reports_without_a_number_get_different_ones_below_0(void **state)
{
	struct metric_report *list;

	(void)state;
	assert_null(metric_queue_put(queue, report("a", -1, "")));
	assert_null(metric_queue_put(queue, report("a", 7, "")));
	assert_null(metric_queue_put(queue, report("a", -1, "")));
	list = take(ALL, NO_LIMIT);
	assert_int_equal(list->next->ref, 7);
	assert_true(list->ref < 0 && list->next->next->ref < 0);
	assert_true(list->ref != list->next->next->ref);
	drop(list);
}

static void no_worker_fills_more_than_a_tenth(void **state)
{
	const size_t tenth = metric_queue_max() / 10;

	(void)state;
	assert_int_equal(put("a", tenth + 5), tenth);
	assert_int_equal(put("b", 5), 5);
	drop(take(ALL, NO_LIMIT));
	assert_int_equal(metric_queue_len(queue), 0);
	assert_int_equal(put("a", 5), 5);
	drop(take(ALL, NO_LIMIT));
}

static void all_together_no_more_than_fit(void **state)
{
	size_t taken = 0;
	char worker[16];

	(void)state;
	for (int i = 0; i < 400; i++) {
		snprintf(worker, sizeof(worker), "worker-%d", i);
		taken += put(worker, 1000);
	}
	assert_int_equal(taken, metric_queue_max());
	assert_int_equal(put("another", 1), 0);
	while (metric_queue_len(queue) > 0)
		drop(take(ALL, NO_LIMIT));
	assert_int_equal(put("another", 1), 1);
	drop(take(ALL, NO_LIMIT));
}

static void what_is_refused_comes_back_in_order(void **state)
{
	struct metric_report *list = report("a", 1, ""), *refused;

	(void)state;
	list->next = report("b", 2, "");
	list->next->next = report("c", 3, "");
	metric_queue_close(queue);
	refused = metric_queue_put(queue, list);
	assert_int_equal(length(refused), 3);
	assert_true(refused->seq == 1 && refused->next->next->seq == 3);
	metric_report_free_list(refused);
}

static void a_closed_queue_gives_what_it_has_and_then_nothing(void **state)
{
	struct metric_report *list;

	(void)state;
	assert_int_equal(put("a", 3), 3);
	metric_queue_close(queue);
	list = take(ALL, NO_LIMIT);
	assert_int_equal(length(list), 3);
	drop(list);
	assert_null(take(ALL, NO_LIMIT));
	assert_false(metric_queue_pause(queue, 60000));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_queue, close_queue)

static const struct CMUnitTest tests[] = {
	TEST(first_in_is_first_out),
	TEST(a_batch_has_about_so_many_bytes),
	TEST(reports_without_a_number_get_different_ones_below_0),
	TEST(no_worker_fills_more_than_a_tenth),
	TEST(all_together_no_more_than_fit),
	TEST(what_is_refused_comes_back_in_order),
	TEST(a_closed_queue_gives_what_it_has_and_then_nothing),
};

UNIT_MAIN(tests)
