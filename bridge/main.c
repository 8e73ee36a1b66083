// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* rollcall-bridge: the command line. */
#include "bridge/app.h"
#include "bridge/base/logging.h"
#include "bridge/base/loop.h"
#include "bridge/db/migrate.h"
#include "bridge/user_command.h"
#include "protocol/log.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define TEXT_MAX (1024 * 1024)
#define SECRET_BYTES 32

struct arguments {
	const char *config_file;
	char **words; /* what is left: a command and its arguments */
	int words_len;
};

static int fail(const struct err *e)
{
	fprintf(stderr, "rollcall-bridge: %s\n", e->msg);
	return EXIT_FAILURE;
}

static int print(void (*fill)(struct buf *out))
{
	struct buf out;

	buf_init(&out, TEXT_MAX);
	fill(&out);
	if (out.failed)
		return EXIT_FAILURE;
	fputs(out.data, stdout);
	buf_fini(&out);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void fill_help(struct buf *out)
{
	buf_add_str(
		out,
		"usage: rollcall-bridge [--config FILE] [COMMAND]\n\n"
		"commands:\n"
		"  serve                      REST for the fleet (default)\n"
		"  migrate                    bring the database to this version's shape, and "
		"end\n"
		"  user add NAME --role ROLE  add a dashboard user (admin or viewer)\n"
		"  user list                  names, roles, since when\n"
		"  user set-password NAME     for one who forgot theirs; ends their sessions\n"
		"  user set-role NAME --role ROLE\n"
		"  user delete NAME\n"
		"                             a password comes from ROLLCALL_USER_PASSWORD, or "
		"is "
		"asked\n"
		"                             for, or is read from standard input; an empty "
		"one is\n"
		"                             replaced by a random one that is printed\n"
		"  --check-config             print the configuration in force, secrets "
		"masked\n"
		"  --help, --help-markdown    this text; the options as a page\n"
		"  --version\n\n"
		"options, from the environment or from FILE (NAME=value lines):\n");
	config_help(out);
}

/* Each HTTP connection is an open file, and the soft limit is often 1024. */
static void raise_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warn("main", "cannot raise the number of open files");
}

static int serve(const struct config *config, const char *file)
{
	struct app app = {.config = *config, .config_file = file};
	struct err e = {0};

	raise_open_files();
	if (app_start(&app, &e) != ERR_OK)
		return fail(&e);
	loop_run(app.loop);
	e = app.fatal;
	app_stop(&app);
	if (e.code != ERR_OK)
		return fail(&e);
	log_info("main", "stopped");
	return EXIT_SUCCESS;
}

static int check_config(const struct config *config)
{
	struct buf out;

	buf_init(&out, TEXT_MAX);
	config_print(config, &out);
	if (out.failed)
		return EXIT_FAILURE;
	fputs(out.data, stdout);
	buf_fini(&out);
	return EXIT_SUCCESS;
}

static int migrate_only(const struct config *config)
{
	struct err e = {0};

	return migrate(config, &e) == ERR_OK ? EXIT_SUCCESS : fail(&e);
}

static int usage(void)
{
	fputs("rollcall-bridge: unknown command; --help lists them\n", stderr);
	return 2;
}

static int run(const struct config *config, const struct arguments *args)
{
	const char *command = args->words_len > 0 ? args->words[0] : "serve";

	if (strcmp(command, "user") == 0)
		return user_command(config, args->words + 1, args->words_len - 1);
	if (args->words_len > 1)
		return usage();
	if (strcmp(command, "serve") == 0)
		return serve(config, args->config_file);
	if (strcmp(command, "migrate") == 0)
		return migrate_only(config);
	if (strcmp(command, "--check-config") == 0)
		return check_config(config);
	return usage();
}

/* The limit alone would not do: a core_pattern that is a pipe gets its image in spite of it.
 * That the process is not dumpable also keeps other processes of its account from tracing it.
 */
static void forbid_dumps(const struct config *config)
{
	const struct rlimit none = {0, 0};

	if (config->core_dumps != 0)
		return;
	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		log_warn("main", "cannot forbid core dumps");
}

/* Without a secret of the installation, one that lasts as long as the process. */
static enum err_code make_secret(struct config *config, struct err *e)
{
	unsigned char random[SECRET_BYTES];
	char *hex;

	if (*config->jwt_secret != '\0')
		return ERR_OK;
	hex = malloc(2 * SECRET_BYTES + 1);
	if (hex == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(hex, 2 * SECRET_BYTES + 1, random, sizeof(random));
	free(config->jwt_secret);
	config->jwt_secret = hex;
	return ERR_OK;
}

static int configured(struct config *config, const struct arguments *args)
{
	struct err e = {0};

	if (config_load(config, args->config_file, &e) != ERR_OK)
		return fail(&e);
	logging_start(config);
	forbid_dumps(config);
	if (*config->jwt_secret == '\0' && args->words_len == 0)
		log_warn("main", "ROLLCALL_JWT_SECRET is not set: dashboard sessions end with "
				 "this process");
	if (args->words_len == 0 || strcmp(args->words[0], "serve") == 0) {
		if (make_secret(config, &e) != ERR_OK)
			return fail(&e);
	}
	return run(config, args);
}

int main(int argc, char **argv)
{
	struct arguments args = {.words = argv + 1, .words_len = argc - 1};
	struct config config = {0};
	int status;

	if (args.words_len >= 2 && strcmp(args.words[0], "--config") == 0) {
		args.config_file = args.words[1];
		args.words += 2;
		args.words_len -= 2;
	}
	if (args.words_len == 1 && strcmp(args.words[0], "--help") == 0)
		return print(fill_help);
	if (args.words_len == 1 && strcmp(args.words[0], "--help-markdown") == 0)
		return print(config_help_markdown);
	if (args.words_len == 1 && strcmp(args.words[0], "--version") == 0) {
		puts("rollcall-bridge " ROLLCALL_VERSION);
		return EXIT_SUCCESS;
	}
	if (sodium_init() < 0) {
		fputs("rollcall-bridge: libsodium does not start\n", stderr);
		return EXIT_FAILURE;
	}
	status = configured(&config, &args);
	config_fini(&config);
	return status;
}
