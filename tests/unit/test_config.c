// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/base/config.h"
#include "tests/unit/unit.h"

#include <unistd.h>

static struct config config;
static struct err e;
static char path[64];

/* Every test begins with an environment without ROLLCALL_ names. */
static int begin(void **state)
{
	(void)state;
	clearenv();
	strcpy(path, "/tmp/rollcall-unit-XXXXXX");
	close(mkstemp(path));
	return 0;
}

static int end(void **state)
{
	(void)state;
	config_fini(&config);
	unlink(path);
	return 0;
}

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void there_is_a_default_for_everything(void **state)
{
	(void)state;
	assert_int_equal(config_load(&config, NULL, &e), ERR_OK);
	assert_string_equal(config.http_bind, "127.0.0.1");
	assert_int_equal(config.http_port, 8080);
	assert_string_equal(config.broker_user, "rollcall-bridge");
	assert_string_equal(config.db_socket, "");
	assert_string_equal(config.jwt_secret, "");
	assert_int_equal(config.token_life_s, 90 * 24 * 3600);
}

static void the_environment_precedes_the_file(void **state)
{
	(void)state;
	write_file("# comment\n\nROLLCALL_HTTP_PORT=1\nROLLCALL_DB_NAME=from file\n");
	setenv("ROLLCALL_HTTP_PORT", "2", 1);
	assert_int_equal(config_load(&config, path, &e), ERR_OK);
	assert_int_equal(config.http_port, 2);
	assert_string_equal(config.db_name, "from file");
}

static void the_environment_may_name_the_file(void **state)
{
	(void)state;
	write_file("ROLLCALL_HTTP_PORT=7\n");
	setenv("ROLLCALL_CONFIG", path, 1);
	assert_int_equal(config_load(&config, NULL, &e), ERR_OK);
	assert_int_equal(config.http_port, 7);
}

static void wrong_values_are_named(void **state)
{
	static const char *const bad[] = {
		"0", "65536", "x", "80x", " 80 ", "-1", "99999999999999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("ROLLCALL_HTTP_PORT", bad[i], 1);
		assert_int_equal(config_load(&config, NULL, &e), ERR_INVALID_REQUEST);
		assert_non_null(strstr(e.msg, "ROLLCALL_HTTP_PORT"));
		config_fini(&config);
	}
}

static void wrong_words_are_named(void **state)
{
	static const char *const names[] = {"ROLLCALL_LOG_LEVEL", "ROLLCALL_LOG_FORMAT"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		clearenv();
		setenv(names[i], "loud", 1);
		assert_int_equal(config_load(&config, NULL, &e), ERR_INVALID_REQUEST);
		assert_non_null(strstr(e.msg, names[i]));
		config_fini(&config);
	}
	clearenv();
	setenv("ROLLCALL_TOPIC_ROOT", "a/#", 1);
	assert_int_equal(config_load(&config, NULL, &e), ERR_INVALID_REQUEST);
}

static void unknown_names_are_errors_in_a_file_alone(void **state)
{
	(void)state;
	setenv("ROLLCALL_RUN_DIR", "/somewhere", 1);
	assert_int_equal(config_load(&config, NULL, &e), ERR_OK);
	config_fini(&config);
	write_file("\nROLLCALL_HTTP_PROT=1\n");
	assert_int_equal(config_load(&config, path, &e), ERR_INVALID_REQUEST);
	assert_non_null(strstr(e.msg, "line 2"));
	assert_non_null(strstr(e.msg, "ROLLCALL_HTTP_PROT"));
}

static void a_long_line_is_one_line(void **state)
{
	char text[10000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[0] = '#';
	snprintf(text + 9000, sizeof(text) - 9000, "\nROLLCALL_HTTP_PORT=7");
	write_file(text);
	assert_int_equal(config_load(&config, path, &e), ERR_OK);
	assert_int_equal(config.http_port, 7);
}

static void a_file_that_is_no_text_is_refused(void **state)
{
	static const char bytes[] = "ROLLCALL_DB_NAME=a\0b\n";
	FILE *f = fopen(path, "w");

	(void)state;
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, sizeof(bytes) - 1, f), sizeof(bytes) - 1);
	fclose(f);
	assert_int_equal(config_load(&config, path, &e), ERR_INVALID_REQUEST);
	assert_non_null(strstr(e.msg, "NUL"));
	config_fini(&config);
	/* A device has no end. */
	assert_int_equal(config_load(&config, "/dev/zero", &e), ERR_INVALID_REQUEST);
}

static void secrets_come_from_files(void **state)
{
	(void)state;
	write_file("secret with a line feed\n");
	setenv("ROLLCALL_DB_PASSWORD_FILE", path, 1);
	assert_int_equal(config_load(&config, NULL, &e), ERR_OK);
	assert_string_equal(config.db_password, "secret with a line feed");
	config_fini(&config);
	setenv("ROLLCALL_DB_PASSWORD_FILE", "/nowhere/at/all", 1);
	assert_int_equal(config_load(&config, NULL, &e), ERR_INVALID_REQUEST);
	assert_non_null(strstr(e.msg, "ROLLCALL_DB_PASSWORD_FILE"));
}

static void a_short_signing_key_is_refused(void **state)
{
	(void)state;
	setenv("ROLLCALL_JWT_SECRET", "short", 1);
	assert_int_equal(config_load(&config, NULL, &e), ERR_INVALID_REQUEST);
	assert_non_null(strstr(e.msg, "ROLLCALL_JWT_SECRET"));
	assert_null(strstr(e.msg, "short"));
}

static void an_empty_variable_counts_as_none(void **state)
{
	(void)state;
	setenv("ROLLCALL_HTTP_PORT", "", 1);
	assert_int_equal(config_load(&config, NULL, &e), ERR_OK);
	assert_int_equal(config.http_port, 8080);
}

static void secrets_are_never_printed(void **state)
{
	struct buf out;

	(void)state;
	setenv("ROLLCALL_DB_PASSWORD", "very secret", 1);
	assert_int_equal(config_load(&config, NULL, &e), ERR_OK);
	buf_init(&out, 100000);
	config_print(&config, &out);
	assert_null(strstr(out.data, "very secret"));
	assert_non_null(strstr(out.data, "ROLLCALL_DB_PASSWORD=********\n"));
	assert_non_null(strstr(out.data, "ROLLCALL_JWT_SECRET=\n"));
	assert_non_null(strstr(out.data, "ROLLCALL_HTTP_PORT=8080\n"));
	buf_fini(&out);
}

static void every_option_is_in_the_help(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100000);
	config_help(&out);
	assert_non_null(strstr(out.data, "ROLLCALL_DB_PASSWORD (or _FILE)"));
	assert_non_null(strstr(out.data, "[8080]"));
	buf_reset(&out);
	config_help_markdown(&out);
	assert_non_null(
		strstr(out.data, "| `ROLLCALL_RENEWAL_RETRY` | `3600` | 1 to 315360000 |"));
	buf_fini(&out);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
	T(there_is_a_default_for_everything),
	T(the_environment_precedes_the_file),
	T(the_environment_may_name_the_file),
	T(wrong_values_are_named),
	T(wrong_words_are_named),
	T(unknown_names_are_errors_in_a_file_alone),
	T(a_long_line_is_one_line),
	T(a_file_that_is_no_text_is_refused),
	T(secrets_come_from_files),
	T(a_short_signing_key_is_refused),
	T(an_empty_variable_counts_as_none),
	T(secrets_are_never_printed),
	T(every_option_is_in_the_help),
};

UNIT_MAIN(tests)
