// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/user_add.h"

#include "bridge/config.h"
#include "bridge/migrate.h"
#include "bridge/user.h"
#include "protocol/ident.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_SIZE 1025
#define PASSWORD_MIN 8

/* A secret is never an argument: every user of the machine could read it. */
static void ask(char out[PASSWORD_SIZE])
{
	const bool tty = isatty(STDIN_FILENO) == 1;
	struct termios old, quiet;

	if (tty && tcgetattr(STDIN_FILENO, &old) == 0) {
		fputs("Password (empty: make one): ", stderr);
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	if (fgets(out, PASSWORD_SIZE, stdin) == NULL)
		out[0] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	if (tty) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
		fputc('\n', stderr);
	}
}

/* True if the password was made here. */
static bool get_password(char out[PASSWORD_SIZE])
{
	const char *given = getenv("ROLLCALL_USER_PASSWORD");
	struct token random;

	if (given != NULL)
		snprintf(out, PASSWORD_SIZE, "%s", given);
	else
		ask(out);
	if (*out != '\0')
		return false;
	token_generate(&random);
	snprintf(out, PASSWORD_SIZE, "%.24s", random.text + 3);
	sodium_memzero(&random, sizeof(random));
	return true;
}

static enum err_code add(const struct config *config, const struct user_secret *user, bool made,
			 struct err *e)
{
	struct db *db;

	if (migrate(config, e) != ERR_OK)
		return e->code;
	db = db_open(config, e);
	if (db == NULL)
		return e->code;
	if (db_ensure(db, e) == ERR_OK && store_user_add(db, user, made, e) == ERR_CONFLICT)
		err_set(e, ERR_CONFLICT, "there is a user %s already", user->user.name);
	db_close(db);
	return e->code;
}

static int add_user(const struct config *config, const char *name, enum role role)
{
	char password[PASSWORD_SIZE];
	struct user_secret user;
	struct err e = {0};
	const bool made = get_password(password);

	if (strlen(password) < PASSWORD_MIN)
		err_set(&e, ERR_INVALID_REQUEST, "a password has at least %d characters",
			PASSWORD_MIN);
	else if (user_make(name, role, password, &user, &e) == ERR_OK)
		add(config, &user, made, &e);
	if (e.code != ERR_OK)
		fprintf(stderr, "rollcall-bridge: %s\n", e.msg);
	else if (made)
		printf("The password of \"%s\", shown this once: %s\n", name, password);
	sodium_memzero(password, sizeof(password));
	sodium_memzero(&user, sizeof(user));
	return e.code == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int user_add_command(const struct config *config, char *const words[], int words_len)
{
	if (words_len != 4 || strcmp(words[0], "add") != 0 || strcmp(words[2], "--role") != 0 ||
	    (strcmp(words[3], "admin") != 0 && strcmp(words[3], "viewer") != 0)) {
		fputs("usage: rollcall-bridge user add NAME --role admin|viewer\n", stderr);
		return 2;
	}
	return add_user(config, words[1],
			strcmp(words[3], "admin") == 0 ? ROLE_ADMIN : ROLE_VIEWER);
}
