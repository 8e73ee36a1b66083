// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/user.h"

#include "bridge/app.h"
#include "bridge/login_limit.h"
#include "bridge/loop.h"
#include "protocol/ident.h"
#include "protocol/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_MS 1000

struct users {
	struct app *app;
	struct timer *timer;
	struct user_list list; /* in order of name */
	struct user_list read; /* by the job under way */
	bool loaded, reading;
	struct login_limit *login_limit;
};

static enum err_code read_list(struct db *db, void *arg, struct err *e)
{
	return store_user_list(db, &((struct users *)arg)->read, e);
}

static void list_read(void *arg, struct err *e)
{
	struct users *u = arg;

	u->reading = false;
	if (e->code != ERR_OK)
		return; /* what is known stays: sessions go on while the database is away */
	free(u->list.rows);
	u->list = u->read;
	u->read = (struct user_list){0};
	u->loaded = true;
}

void users_refresh(struct users *u)
{
	if (u->reading)
		return;
	u->reading = true;
	db_submit(u->app->db, read_list, list_read, u);
}

static void on_timer(void *arg)
{
	users_refresh(arg);
}

struct users *users_new(struct app *app, struct err *e)
{
	struct users *u = calloc(1, sizeof(*u));

	if (u != NULL) {
		u->app = app;
		u->timer = timer_new(app->loop, on_timer, u);
		u->login_limit = login_limit_new(e);
	}
	if (u == NULL || u->timer == NULL || u->login_limit == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		users_free(u);
		return NULL;
	}
	timer_every(u->timer, REFRESH_MS);
	return u;
}

void users_free(struct users *u)
{
	if (u == NULL)
		return;
	timer_free(u->timer);
	login_limit_free(u->login_limit);
	free(u->list.rows);
	free(u);
}

bool users_loaded(const struct users *u)
{
	return u->loaded;
}

struct login_limit *users_login_limit(struct users *u)
{
	return u->login_limit;
}

static int by_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct user_row *)item)->name);
}

const struct user_row *users_find(const struct users *u, const char *name)
{
	if (u->list.len == 0)
		return NULL;
	return bsearch(name, u->list.rows, u->list.len, sizeof(*u->list.rows), by_name);
}

static int compare_rows(const void *a, const void *b)
{
	return strcmp(((const struct user_row *)a)->name, ((const struct user_row *)b)->name);
}

void users_put(struct users *u, const struct user_row *row)
{
	struct user_list *list = &u->list;
	struct user_row *rows = NULL;

	for (size_t i = 0; i < list->len; i++)
		if (strcmp(list->rows[i].name, row->name) == 0) {
			list->rows[i] = *row;
			return;
		}
	rows = realloc(list->rows, (list->len + 1) * sizeof(*rows));
	if (rows == NULL)
		return; /* the next refresh brings it */
	list->rows = rows;
	rows[list->len++] = *row;
	qsort(rows, list->len, sizeof(*rows), compare_rows);
}

bool user_name_valid(const char *name)
{
	const size_t len = strlen(name);

	return len >= 1 && len <= USER_NAME_MAX &&
	       strspn(name,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@-") ==
		       len;
}

enum err_code user_make(const char *name, enum role role, const char *password,
			struct user_secret *out, struct err *e)
{
	*out = (struct user_secret){
		.user = {.role = role, .ver = 1}
        };
	if (!user_name_valid(name))
		return err_set(e, ERR_INVALID_REQUEST,
			       "a user name has 1 to %d of the characters A-Z a-z 0-9 _ . @ -",
			       USER_NAME_MAX);
	snprintf(out->user.name, sizeof(out->user.name), "%s", name);
	if (crypto_pwhash_str(out->hash, password, strlen(password),
			      crypto_pwhash_OPSLIMIT_INTERACTIVE,
			      crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return ERR_OK;
}

/* Of no password that anybody knows, with the cost of a real one: without it, the time of an
 * answer would tell which names exist. */
static const char nobodys_hash[crypto_pwhash_STRBYTES] =
	"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

enum err_code user_verify(struct db *db, const char *name, const char *password,
			  struct user_row *out, struct err *e)
{
	struct user_secret secret;
	/* A name that nobody can have is not even asked for: the column holds ASCII alone. */
	const bool valid = user_name_valid(name);
	const bool known = valid && store_user_get(db, name, &secret, e) == ERR_OK;
	bool fits;

	if (valid && !known && e->code != ERR_NOT_FOUND)
		return e->code;
	fits = crypto_pwhash_str_verify(known ? secret.hash : nobodys_hash, password,
					strlen(password)) == 0;
	*out = known ? secret.user : (struct user_row){0};
	sodium_memzero(&secret, sizeof(secret));
	if (!known || !fits)
		return err_set(e, ERR_UNAUTHENTICATED, "user name or password is wrong");
	return ERR_OK;
}

enum err_code user_make_first(struct db *db, const char *password, struct err *e)
{
	struct user_secret user;
	struct token random = {0};
	int64_t count;
	bool added = false;

	if (store_user_count(db, &count, e) != ERR_OK || count > 0)
		return e->code;
	if (*password == '\0') {
		token_generate(&random);
		random.text[27] = '\0'; /* 24 characters after the prefix, 144 bits */
	}
	if (user_make("admin", ROLE_ADMIN, *password != '\0' ? password : random.text + 3,
		      &user, e) == ERR_OK &&
	    store_user_add_first(db, &user, &added, e) == ERR_OK && added) {
		log_info("user", "made the first administrator, \"admin\"");
		if (*password == '\0')
			fprintf(stderr, "The password of \"admin\", shown this once: %s\n",
				random.text + 3);
	}
	sodium_memzero(&random, sizeof(random));
	sodium_memzero(&user, sizeof(user));
	return e->code;
}
