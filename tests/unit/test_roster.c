// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/workers/roster.h"
#include "bridge/workers/roster_sync.h"
#include "tests/unit/unit.h"

/* The reading side is not under test: a fake of its port. */
struct roster_sync {
	int unused;
};

struct roster_sync *roster_sync_new(struct app *app, struct roster *roster, struct err *e)
{
	(void)app;
	(void)roster;
	(void)e;
	return calloc(1, sizeof(struct roster_sync));
}

void roster_sync_free(struct roster_sync *s)
{
	free(s);
}

void roster_sync_now(struct roster_sync *s)
{
	(void)s;
}

bool roster_sync_loaded(const struct roster_sync *s)
{
	(void)s;
	return true;
}

static struct roster *roster;
static struct err e;

static int begin(void **state)
{
	(void)state;
	roster = roster_new(NULL, &e);
	return roster == NULL;
}

static int end(void **state)
{
	(void)state;
	roster_free(roster);
	return 0;
}

static struct worker_id id_of(const char *text)
{
	struct worker_id id = {0};

	snprintf(id.text, sizeof(id.text), "%s", text);
	return id;
}

static void put(const char *id, int64_t created_ms, int64_t revision)
{
	struct record *record = calloc(1, sizeof(*record));

	record->id = id_of(id);
	record->name = strdup("a worker");
	record->created_ms = created_ms;
	record->revision = revision;
	assert_int_equal(roster_put(roster, &record, &e), ERR_OK);
	assert_null(record);
}

static struct record *find(const char *id)
{
	const struct worker_id key = id_of(id);

	return roster_find(roster, &key);
}

static void remove_at(const char *id, int64_t revision)
{
	const struct worker_id key = id_of(id);

	roster_remove(roster, &key, revision);
}

static void report(const char *id, int64_t received_ms, double cpu, const char *engine)
{
	const struct worker_id key = id_of(id);
	struct metric_latest m = {.cpu = cpu, .received_ms = received_ms};

	m.json = strdup("{}");
	snprintf(m.engine_status, sizeof(m.engine_status), "%s", engine);
	m.engine_status_ms = received_ms;
	roster_set_latest(roster, &key, &m);
	assert_null(m.json);
}

static void records_stand_in_order_of_age_and_id(void **state)
{
	(void)state;
	put("c", 2, 1);
	put("b", 1, 2);
	put("a", 2, 3);
	put("d", 0, 4);
	assert_int_equal(roster_len(roster), 4);
	assert_string_equal(roster_at(roster, 0)->id.text, "d");
	assert_string_equal(roster_at(roster, 1)->id.text, "b");
	assert_string_equal(roster_at(roster, 2)->id.text, "a");
	assert_string_equal(roster_at(roster, 3)->id.text, "c");
}

static void a_page_goes_on_after_its_last_record_even_if_that_is_gone(void **state)
{
	const struct worker_id b = id_of("b");

	(void)state;
	put("a", 1, 1);
	put("b", 1, 2);
	put("c", 1, 3);
	assert_int_equal(roster_after(roster, 1, &b), 2);
	remove_at("b", 4);
	assert_int_equal(roster_after(roster, 1, &b), 1);
	assert_string_equal(roster_at(roster, 1)->id.text, "c");
}

static void an_older_record_never_replaces_a_newer_one(void **state)
{
	(void)state;
	put("a", 1, 5);
	put("a", 1, 4);
	assert_int_equal(find("a")->revision, 5);
	put("a", 1, 6);
	assert_int_equal(find("a")->revision, 6);
	assert_int_equal(roster_len(roster), 1);
}

static void a_reading_that_was_under_way_does_not_bring_back_the_dead(void **state)
{
	(void)state;
	put("a", 1, 5);
	remove_at("a", 6);
	put("a", 1, 5);
	assert_null(find("a"));
	roster_forget_removed(roster, 5); /* has not seen the removal yet */
	put("a", 1, 5);
	assert_null(find("a"));
	put("a", 1, 7); /* made again */
	assert_non_null(find("a"));
}

static void an_older_removal_spares_a_newer_record(void **state)
{
	(void)state;
	put("a", 1, 7);
	remove_at("a", 6);
	assert_non_null(find("a"));
}

static void reports_survive_a_change_of_the_record(void **state)
{
	(void)state;
	put("a", 1, 1);
	report("a", 1000, 0.5, "running");
	put("a", 1, 2);
	assert_true(find("a")->latest.cpu == 0.5);
	assert_int_equal(find("a")->latest.received_ms, 1000);
	assert_string_equal(find("a")->latest.json, "{}");
	assert_string_equal(find("a")->latest.engine_status, "running");
}

static void an_older_report_is_ignored(void **state)
{
	(void)state;
	put("a", 1, 1);
	report("a", 1000, 0.5, "running");
	report("a", 999, 0.1, "stopped");
	assert_true(find("a")->latest.cpu == 0.5);
	assert_string_equal(find("a")->latest.engine_status, "running");
}

static void a_report_of_nobody_is_dropped(void **state)
{
	(void)state;
	report("nobody", 1000, 0.5, "running");
	assert_int_equal(roster_len(roster), 0);
}

static void the_engine_status_is_the_one_heard_last(void **state)
{
	const struct worker_id a = id_of("a");

	(void)state;
	put("a", 1, 1);
	roster_set_engine_status(roster, &a, "starting", 2000);
	report("a", 1000, 0.5, "running");
	assert_string_equal(find("a")->latest.engine_status, "starting");
	report("a", 3000, 0.5, "");
	assert_string_equal(find("a")->latest.engine_status, "starting");
	report("a", 3001, 0.5, "running");
	assert_string_equal(find("a")->latest.engine_status, "running");
}

static void every_change_shows_in_the_version(void **state)
{
	const struct worker_id a = id_of("a");
	uint64_t last = roster_version(roster);

	(void)state;
#define CHANGES(call)                                                                          \
	call;                                                                                  \
	assert_true(roster_version(roster) > last);                                            \
	last = roster_version(roster)
	CHANGES(put("a", 1, 1));
	CHANGES(put("a", 1, 2));
	CHANGES(report("a", 1000, 1, ""));
	CHANGES(roster_set_engine_status(roster, &a, "running", 1));
	CHANGES(remove_at("a", 3));
}

static void another_database_replaces_everything(void **state)
{
	(void)state;
	put("a", 1, 50);
	put("b", 1, 60);
	roster_doubt_all(roster);
	put("b", 1, 3);
	roster_drop_doubted(roster);
	assert_null(find("a"));
	assert_int_equal(find("b")->revision, 3);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
	T(records_stand_in_order_of_age_and_id),
	T(a_page_goes_on_after_its_last_record_even_if_that_is_gone),
	T(an_older_record_never_replaces_a_newer_one),
	T(a_reading_that_was_under_way_does_not_bring_back_the_dead),
	T(an_older_removal_spares_a_newer_record),
	T(reports_survive_a_change_of_the_record),
	T(an_older_report_is_ignored),
	T(a_report_of_nobody_is_dropped),
	T(the_engine_status_is_the_one_heard_last),
	T(every_change_shows_in_the_version),
	T(another_database_replaces_everything),
};

UNIT_MAIN(tests)
