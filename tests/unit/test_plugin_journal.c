// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/unit/test_plugin_dir.h"

#include "plugin/journal.h"
#include "protocol/log.h"

#include <signal.h>
#include <sys/resource.h>

static char dir[64];
static struct journal journal;

static void quiet(enum log_level level, const char *subsystem, const char *text)
{
	(void)level;
	(void)subsystem;
	(void)text;
}

static int open_journal(void **state)
{
	struct err e = {0};

	(void)state;
	log_set_sink(quiet);
	make_dir(dir);
	return journal_open(&journal, dir, &e) == ERR_OK ? 0 : -1;
}

static int close_journal(void **state)
{
	(void)state;
	journal_close(&journal);
	remove_dir(dir);
	return 0;
}

static enum err_code append(uint64_t lsn, const char *key, const char *value)
{
	struct buf bytes;
	struct err e = {0};

	buf_init(&bytes, 1 << 20);
	journal_encode(&bytes,
		       &(struct journal_record){.lsn = lsn,
						.db = 3,
						.deleted = value == NULL,
						.key = key,
						.key_len = strlen(key),
						.value = value,
						.value_len = value ? strlen(value) : 0});
	(void)(journal_append(&journal, &bytes, &e) == ERR_OK);
	buf_fini(&bytes);
	return e.code;
}

/* "1:key=value 2:key-" */
static enum err_code note(void *arg, const struct journal_record *r, struct err *e)
{
	struct buf *out = arg;

	(void)e;
	if (r->db == 255)
		return ERR_OK; /* a probe's */
	assert_int_equal(r->db, 3);
	buf_printf(out, "%s%llu:%.*s%s%.*s", out->len > 0 ? " " : "",
		   (unsigned long long)r->lsn, (int)r->key_len, (const char *)r->key,
		   r->deleted ? "-" : "=", (int)r->value_len, (const char *)r->value);
	return ERR_OK;
}

static void assert_replays(const char *expected)
{
	struct journal again;
	struct err e = {0};
	struct buf out;
	bool damaged;

	buf_init(&out, 4096);
	buf_add(&out, "", 0);
	assert_int_equal(journal_open(&again, dir, &e), ERR_OK);
	assert_int_equal(journal_replay(&again, note, &out, &damaged, &e), ERR_OK);
	assert_string_equal(out.data, expected);
	journal_close(&again);
	buf_fini(&out);
}

static off_t size_of(int index)
{
	struct stat st;

	assert_int_equal(fstat(journal.fd[index], &st), 0);
	return st.st_size;
}

static void empty_journal_replays_nothing(void **state)
{
	(void)state;
	assert_replays("");
}

static void records_come_back_as_they_were(void **state)
{
	(void)state;
	assert_int_equal(append(1, "a", "one"), ERR_OK);
	assert_int_equal(append(2, "b", ""), ERR_OK);
	assert_int_equal(append(3, "a", NULL), ERR_OK);
	assert_replays("1:a=one 2:b= 3:a-");
}

static void both_files_replay_in_order_of_lsn(void **state)
{
	int sealed;

	(void)state;
	append(1, "a", "1");
	append(2, "a", "2");
	sealed = journal_swap(&journal);
	append(3, "a", "3");
	assert_replays("1:a=1 2:a=2 3:a=3");
	/* The sealed file is emptied and becomes the active one again: now it is the newer. */
	journal_clear(&journal, sealed);
	assert_int_equal(journal_swap(&journal), 1 - sealed);
	append(4, "a", "4");
	assert_replays("3:a=3 4:a=4");
}

static void torn_tail_is_left_out_wherever_it_is_cut(void **state)
{
	off_t whole, all;

	(void)state;
	append(1, "a", "one");
	whole = size_of(0);
	append(2, "b", "two");
	all = size_of(0);
	for (off_t cut = all - 1; cut > whole; cut--) {
		assert_int_equal(ftruncate(journal.fd[0], cut), 0);
		assert_replays("1:a=one");
	}
}

static void flipped_bit_ends_the_replay_before_its_record(void **state)
{
	off_t first, all;
	char byte;

	(void)state;
	append(1, "a", "one");
	first = size_of(0);
	append(2, "b", "two");
	all = size_of(0);
	for (off_t at = first; at < all; at++) {
		assert_int_equal(pread(journal.fd[0], &byte, 1, at), 1);
		byte ^= 0x10;
		/* O_APPEND would move the write to the end */
		assert_int_equal(fcntl(journal.fd[0], F_SETFL, 0), 0);
		assert_int_equal(pwrite(journal.fd[0], &byte, 1, at), 1);
		assert_replays("1:a=one");
		byte ^= 0x10;
		assert_int_equal(pwrite(journal.fd[0], &byte, 1, at), 1);
	}
	assert_replays("1:a=one 2:b=two");
}

/* Writes over what is there, wherever the file's end is. */
static void write_at(int index, off_t at, const void *bytes, size_t len)
{
	int flags = fcntl(journal.fd[index], F_GETFL);

	assert_int_equal(fcntl(journal.fd[index], F_SETFL, flags & ~O_APPEND), 0);
	assert_int_equal(pwrite(journal.fd[index], bytes, len, at), (ssize_t)len);
	assert_int_equal(fcntl(journal.fd[index], F_SETFL, flags), 0);
}

static bool is_damaged(void)
{
	struct journal again;
	bool damaged = false;
	struct err e = {0};
	struct buf out;

	buf_init(&out, 65536);
	assert_int_equal(journal_open(&again, dir, &e), ERR_OK);
	assert_int_equal(journal_replay(&again, note, &out, &damaged, &e), ERR_OK);
	journal_close(&again);
	buf_fini(&out);
	return damaged;
}

static void damage_in_the_middle_loses_its_record_alone(void **state)
{
	off_t first, second;
	char byte;

	(void)state;
	append(1, "a", "one");
	first = size_of(0);
	append(2, "b", "two");
	second = size_of(0);
	append(3, "c", "three");
	append(4, "d", "four");
	assert_false(is_damaged());
	for (off_t at = first; at < second; at++) {
		assert_int_equal(pread(journal.fd[0], &byte, 1, at), 1);
		byte ^= 0x10;
		write_at(0, at, &byte, 1);
		assert_replays("1:a=one 3:c=three 4:d=four");
		assert_true(is_damaged());
		byte ^= 0x10;
		write_at(0, at, &byte, 1);
	}
	assert_replays("1:a=one 2:b=two 3:c=three 4:d=four");
}

static void torn_tail_is_no_damage(void **state)
{
	(void)state;
	append(1, "a", "one");
	append(2, "b", "two");
	assert_int_equal(ftruncate(journal.fd[0], size_of(0) - 1), 0);
	assert_false(is_damaged());
}

/* Versions before the first head wrote records alone. */
static void file_without_a_head_is_read(void **state)
{
	char bytes[4096];
	ssize_t n;

	(void)state;
	append(1, "a", "one");
	append(2, "b", "two");
	n = pread(journal.fd[0], bytes, sizeof(bytes), 16);
	assert_true(n > 0);
	assert_int_equal(ftruncate(journal.fd[0], 0), 0);
	write_at(0, 0, bytes, (size_t)n);
	assert_replays("1:a=one 2:b=two");
	assert_false(is_damaged());
}

static void file_of_a_newer_version_is_refused_and_named(void **state)
{
	struct journal again;
	struct err e = {0};
	char version = 3;
	bool damaged;

	(void)state;
	append(1, "a", "one");
	write_at(0, 8, &version, 1);
	assert_int_equal(journal_open(&again, dir, &e), ERR_OK);
	assert_int_equal(journal_replay(&again, note, NULL, &damaged, &e),
			 ERR_STORE_UNAVAILABLE);
	assert_non_null(strstr(e.msg, "format 3"));
	journal_close(&again);
}

static void file_that_could_not_be_emptied_goes_on_behind_what_it_held(void **state)
{
	(void)state;
	append(1, "a", "one");
	journal_swap(&journal);
	append(2, "b", "two");
	journal_swap(&journal); /* and nobody has cleared the first */
	append(3, "c", "three");
	assert_replays("1:a=one 3:c=three 2:b=two");
	assert_false(is_damaged());
}

static void probe_takes_space_and_leaves_no_record(void **state)
{
	struct err e = {0};
	off_t before;

	(void)state;
	append(1, "a", "one");
	before = size_of(0);
	assert_int_equal(journal_probe(&journal, &e), ERR_OK);
	assert_true(size_of(0) >= before + 4096);
	append(2, "b", "two");
	assert_false(is_damaged());
}

static void journal_has_a_ceiling(void **state)
{
	enum err_code code = ERR_OK;
	static char big[1 << 19];
	int n = 0;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	for (; code == ERR_OK && n < 200; n++)
		code = append((uint64_t)n + 1, "a", big);
	assert_int_equal(code, ERR_DISK_ERROR);
	assert_true(size_of(0) <= 64 << 20);
	assert_in_range(n, 100, 130);
}

static void torn_file_does_not_hide_the_other_one(void **state)
{
	(void)state;
	append(1, "a", "1");
	journal_swap(&journal);
	append(2, "b", "2");
	assert_int_equal(ftruncate(journal.fd[0], size_of(0) - 1), 0);
	assert_replays("2:b=2");
}

static void zeros_at_the_end_are_no_record(void **state)
{
	(void)state;
	append(1, "a", "1");
	assert_int_equal(ftruncate(journal.fd[0], size_of(0) + 4096), 0);
	assert_replays("1:a=1");
}

static void full_disk_leaves_whole_records_only(void **state)
{
	static char big[4096];
	struct rlimit before, limit;
	off_t size;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	append(1, "a", "1");
	size = size_of(0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	limit = before;
	limit.rlim_cur = (rlim_t)size + 1000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(append(2, "b", big), ERR_DISK_FULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(size_of(0), size);
	assert_int_equal(append(3, "c", "3"), ERR_OK);
	assert_replays("1:a=1 3:c=3");
}

static void directory_that_is_not_there_is_an_error(void **state)
{
	struct journal other;
	struct err e = {0};

	(void)state;
	assert_int_equal(journal_open(&other, "/nonexistent/rollcall", &e),
			 ERR_STORE_UNAVAILABLE);
	assert_non_null(strstr(e.msg, "/nonexistent/rollcall"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_journal, close_journal)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(empty_journal_replays_nothing),
		TEST(records_come_back_as_they_were),
		TEST(both_files_replay_in_order_of_lsn),
		TEST(torn_tail_is_left_out_wherever_it_is_cut),
		TEST(flipped_bit_ends_the_replay_before_its_record),
		TEST(damage_in_the_middle_loses_its_record_alone),
		TEST(torn_tail_is_no_damage),
		TEST(file_without_a_head_is_read),
		TEST(file_of_a_newer_version_is_refused_and_named),
		TEST(file_that_could_not_be_emptied_goes_on_behind_what_it_held),
		TEST(probe_takes_space_and_leaves_no_record),
		TEST(journal_has_a_ceiling),
		TEST(torn_file_does_not_hide_the_other_one),
		TEST(zeros_at_the_end_are_no_record),
		TEST(full_disk_leaves_whole_records_only),
		TEST(directory_that_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
