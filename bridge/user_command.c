// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/user_command.h"

#include "bridge/base/config.h"
#include "bridge/db/migrate.h"
#include "bridge/identity/signin.h"
#include "bridge/identity/user.h"
#include "protocol/clock.h"
#include "protocol/ident.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_SIZE (PASSWORD_MAX + 1)
#define RANDOM_PASSWORD 24 /* characters, 144 bits */

/* ---- passwords --------------------------------------------------------------------------- */

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
	snprintf(out, PASSWORD_SIZE, "%.*s", RANDOM_PASSWORD, random.text + 3);
	sodium_memzero(&random, sizeof(random));
	return true;
}

/* Gets a password and its hash; says a password that was made here once it is `in_force`. */
static enum err_code with_password(struct db *db, enum user_verb verb, struct user_change *c,
				   struct err *e)
{
	char password[PASSWORD_SIZE], hash[crypto_pwhash_STRBYTES];
	const bool made = get_password(password);

	if (strlen(password) < PASSWORD_MIN)
		err_set(e, ERR_INVALID_REQUEST, "a password has at least %d characters",
			PASSWORD_MIN);
	else if (!pwhash_make(password, hash))
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else if (user_apply_now(db, verb, c, hash, e) == ERR_OK && made)
		printf("The password of \"%s\", shown this once: %s\n", c->name, password);
	sodium_memzero(password, sizeof(password));
	sodium_memzero(hash, sizeof(hash));
	return e->code;
}

/* ---- commands ---------------------------------------------------------------------------- */

static enum err_code add(struct db *db, struct user_change *c, struct err *e)
{
	return with_password(db, USER_ADD, c, e);
}

static enum err_code set_password(struct db *db, struct user_change *c, struct err *e)
{
	return with_password(db, USER_CHANGE, c, e);
}

static enum err_code set_role(struct db *db, struct user_change *c, struct err *e)
{
	return user_apply_now(db, USER_CHANGE, c, "", e);
}

static enum err_code delete (struct db *db, struct user_change *c, struct err *e) {
	return user_apply_now(db, USER_DELETE, c, "", e);
}

static enum err_code list(struct db *db, struct user_change *c, struct err *e)
{
	struct user_list users;
	char created[CLOCK_TEXT_SIZE];

	(void)c;
	if (store_user_list(db, &users, e) != ERR_OK)
		return e->code;
	for (size_t i = 0; i < users.len; i++) {
		clock_format(users.rows[i].created_ms, created);
		printf("%s %s %s\n", users.rows[i].name, role_name(users.rows[i].role),
		       created);
	}
	free(users.rows);
	return ERR_OK;
}

static const struct command {
	const char *word;
	bool name, role; /* what it wants */
	enum err_code (*run)(struct db *db, struct user_change *c, struct err *e);
} commands[] = {
	{"add",          true,  true,  add         },
	{"list",         false, false, list        },
	{"set-password", true,  false, set_password},
	{"set-role",     true,  true,  set_role    },
	{"delete",       true,  false, delete      },
};

static int usage(void)
{
	fputs("usage: rollcall-bridge user add NAME --role admin|viewer\n"
	      "       rollcall-bridge user list\n"
	      "       rollcall-bridge user set-password NAME\n"
	      "       rollcall-bridge user set-role NAME --role admin|viewer\n"
	      "       rollcall-bridge user delete NAME\n",
	      stderr);
	return 2;
}

static enum err_code run(const struct config *config, const struct command *command,
			 struct user_change *c, struct err *e)
{
	struct db *db;

	if (command->name && !user_name_valid(c->name))
		return err_set(e, ERR_INVALID_REQUEST,
			       "a user name has 1 to %d of the characters A-Z a-z 0-9 _ . @ -",
			       USER_NAME_MAX);
	if (migrate(config, e) != ERR_OK)
		return e->code;
	db = db_open(config, e);
	if (db == NULL)
		return e->code;
	if (db_ensure(db, e) == ERR_OK)
		command->run(db, c, e);
	db_close(db);
	return e->code;
}

int user_command(const struct config *config, char *const words[], int words_len)
{
	struct user_change c = {.from = {.actor = "command line"}};
	const struct command *command = NULL;
	struct err e = {0};
	int want = 1;

	for (size_t i = 0; i < ARRAY_LEN(commands) && words_len > 0; i++)
		if (strcmp(words[0], commands[i].word) == 0)
			command = &commands[i];
	if (command == NULL)
		return usage();
	want += (command->name ? 1 : 0) + (command->role ? 2 : 0);
	if (words_len != want)
		return usage();
	if (command->role) {
		c.has_role = true;
		if (strcmp(words[2], "--role") != 0 || !role_parse(words[3], &c.role))
			return usage();
	}
	/* One that does not fit is too long to be valid. */
	if (command->name)
		snprintf(c.name, sizeof(c.name), "%s",
			 strlen(words[1]) < sizeof(c.name) ? words[1] : "");
	if (run(config, command, &c, &e) == ERR_OK)
		return EXIT_SUCCESS;
	fprintf(stderr, "rollcall-bridge: %s\n", e.msg);
	return EXIT_FAILURE;
}
