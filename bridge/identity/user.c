// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/user.h"

#include "bridge/app.h"
#include "protocol/clock.h"
#include "protocol/ident.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETAIL_MAX 1024
#define RANDOM_PASSWORD 24 /* characters, 144 bits */

bool user_name_valid(const char *name)
{
	const size_t len = strlen(name);

	return len >= 1 && len <= USER_NAME_MAX &&
	       strspn(name,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@-") ==
		       len;
}

const char *role_name(enum role role)
{
	return role == ROLE_ADMIN ? "admin" : "viewer";
}

bool role_parse(const char *text, enum role *out)
{
	*out = strcmp(text, "admin") == 0 ? ROLE_ADMIN : ROLE_VIEWER;
	return strcmp(text, role_name(*out)) == 0;
}

/* ---- what each verb does, within the transaction ----------------------------------------- */

/* A change on the database's side. */
struct work {
	struct user_change *c;
	enum user_verb verb;
	const char *hash; /* "": the password stays */
	bool initial;     /* it was made for the user */
};

static enum err_code add(struct db *db, const struct work *w, struct err *e)
{
	struct user_change *c = w->c;
	struct user_secret user = {.user = c->user};

	user.user.role = c->role;
	user.user.created_ms = clock_unix_ms();
	snprintf(user.user.name, sizeof(user.user.name), "%s", c->name);
	memcpy(user.hash, w->hash, strlen(w->hash) + 1);
	c->user = user.user;
	if (store_user_add(db, &user, w->initial, e) == ERR_CONFLICT)
		err_set(e, ERR_CONFLICT, "there is a user %s already", c->name);
	return e->code;
}

/* Whoever changes users holds the lock of the identity state, so that the last two
 * administrators cannot go at the same time. */
static enum err_code keep_an_administrator(struct db *db, const struct user_row *user,
					   struct err *e)
{
	int64_t users, admins;

	if (user->role != ROLE_ADMIN)
		return ERR_OK;
	if (store_user_count(db, &users, &admins, e) == ERR_OK && admins < 2)
		err_set(e, ERR_CONFLICT, "%s is the last administrator", user->name);
	return e->code;
}

static enum err_code change(struct db *db, const struct work *w, struct err *e)
{
	struct user_change *c = w->c;
	const int64_t ver = c->user.ver;
	struct user_secret user;

	if (store_user_get(db, c->name, &user, e) != ERR_OK)
		return e->code;
	if (c->ver != 0 && user.user.ver != c->ver)
		return err_set(e, ERR_CONFLICT, "the user was changed meanwhile");
	if (c->has_role && c->role != ROLE_ADMIN &&
	    keep_an_administrator(db, &user.user, e) != ERR_OK)
		return e->code;
	if (c->has_role)
		user.user.role = c->role;
	user.user.ver = ver;
	memcpy(user.hash, w->hash, strlen(w->hash) + 1);
	c->user = user.user;
	return store_user_change(db, &user, e);
}

static enum err_code delete (struct db *db, const struct work *w, struct err *e) {
	struct user_secret user;

	if (store_user_get(db, w->c->name, &user, e) != ERR_OK ||
	    keep_an_administrator(db, &user.user, e) != ERR_OK) return e->code;
	w->c->user = user.user;
	return store_user_delete(db, w->c->name, e);
}

static const struct {
	enum err_code (*work)(struct db *db, const struct work *w, struct err *e);
	const char *event; /* of the audit trail */
} verbs[] = {
	[USER_ADD] = {add,    "user_created"    },
	[USER_CHANGE] = {change, "user_changed"    },
	[USER_PASSWORD] = {change, "password_changed"},
	[USER_DELETE] = {delete, "user_deleted"    },
};

static enum err_code audit(struct db *db, const struct work *w, struct err *e)
{
	const struct user_change *c = w->c;
	struct audit_row row = {
		.event = verbs[w->verb].event,
		.actor = c->from.actor[0] != '\0' ? c->from.actor : NULL,
		.address = c->from.address,
		.request_id = c->from.request_id,
	};
	enum err_code code;
	struct buf detail;
	struct jwrite out;

	buf_init(&detail, DETAIL_MAX);
	jwrite_begin(&out, &detail);
	jwrite_object(&out, NULL);
	jwrite_str(&out, "username", c->name);
	if (c->has_role)
		jwrite_str(&out, "role", role_name(c->role));
	if (w->verb == USER_CHANGE)
		jwrite_bool(&out, "password", *w->hash != '\0');
	jwrite_object_end(&out);
	row.detail = detail.failed ? NULL : detail.data;
	code = store_audit_add(db, &row, e);
	buf_fini(&detail);
	return code;
}

static enum err_code transact(struct db *db, void *arg, struct err *e)
{
	struct work *w = arg;

	w->c->user = (struct user_row){0};
	if (store_identity_next(db, &w->c->user.ver, e) != ERR_OK ||
	    verbs[w->verb].work(db, w, e) != ERR_OK)
		return e->code;
	return audit(db, w, e);
}

/* ---- the line that all of them go along -------------------------------------------------- */

enum err_code user_apply_now(struct db *db, enum user_verb verb, struct user_change *change,
			     const char *hash, struct err *e)
{
	struct work w = {.c = change, .verb = verb, .hash = hash};

	return db_transaction(db, transact, &w, e);
}

static void finish(struct user_change *c, struct err *e)
{
	sodium_memzero(c->job.hash, sizeof(c->job.hash));
	c->done(c->arg, c, e);
}

static void in_memory(void *arg, struct err *e)
{
	finish(arg, e);
}

static void committed(void *arg, struct err *e)
{
	struct user_change *c = arg;

	if (e->code != ERR_OK) {
		finish(c, e);
		return;
	}
	log_info("user", "user=%s %s by=%s", c->name, verbs[c->verb].event, c->from.actor);
	c->wait = (struct identity_wait){.done = in_memory, .arg = c};
	identity_sync(c->app->identity, &c->wait);
}

static enum err_code work(struct db *db, void *arg, struct err *e)
{
	struct user_change *c = arg;

	return user_apply_now(db, c->verb, c, c->job.hash, e);
}

static void hashed(void *arg)
{
	struct user_change *c = arg;
	struct err e;

	if (c->job.outcome == PWHASH_OK) {
		db_submit(c->app->db, work, committed, c);
		return;
	}
	err_set(&e, ERR_OUT_OF_MEMORY, NULL);
	finish(c, &e);
}

void user_apply(struct app *app, enum user_verb verb, struct user_change *change,
		void (*done)(void *arg, struct user_change *change, struct err *e), void *arg)
{
	change->app = app;
	change->verb = verb;
	change->done = done;
	change->arg = arg;
	change->job = (struct pwhash_job){
		.password = change->password, .first = true, .done = hashed, .arg = change};
	if (change->password != NULL)
		pwhash_submit(app->pwhash, &change->job);
	else
		db_submit(app->db, work, committed, change);
}

void user_change_free(struct user_change *change)
{
	if (change == NULL)
		return;
	if (change->password != NULL)
		sodium_memzero(change->password, strlen(change->password));
	free(change->password);
	free(change);
}

/* ---- the first administrator ------------------------------------------------------------- */

/* Two bridges may start at once: the second one waits for the lock, and finds a user. */
static enum err_code add_first(struct db *db, void *arg, struct err *e)
{
	struct work *w = arg;
	int64_t users, admins;

	w->c->user = (struct user_row){0};
	if (store_identity_next(db, &w->c->user.ver, e) != ERR_OK ||
	    store_user_count(db, &users, &admins, e) != ERR_OK || users > 0)
		return e->code;
	if (add(db, w, e) != ERR_OK)
		return e->code;
	return audit(db, w, e);
}

static enum err_code make_first(struct db *db, const char *password, bool *added, struct err *e)
{
	struct user_change c = {.name = "admin", .has_role = true, .role = ROLE_ADMIN};
	char hash[crypto_pwhash_STRBYTES];
	struct work w = {.c = &c, .verb = USER_ADD, .hash = hash, .initial = true};

	if (!pwhash_make(password, hash))
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	*added = db_transaction(db, add_first, &w, e) == ERR_OK && c.user.name[0] != '\0';
	if (*added)
		log_info("user", "made the first administrator, \"admin\"");
	sodium_memzero(hash, sizeof(hash));
	return e->code;
}

enum err_code user_make_first(struct db *db, const char *password, struct err *e)
{
	struct token random;
	int64_t users, admins;
	bool added = false;

	if (store_user_count(db, &users, &admins, e) != ERR_OK || users > 0)
		return e->code;
	if (*password != '\0')
		return make_first(db, password, &added, e);
	token_generate(&random);
	random.text[3 + RANDOM_PASSWORD] = '\0'; /* after the prefix */
	if (make_first(db, random.text + 3, &added, e) == ERR_OK && added)
		fprintf(stderr, "The password of \"admin\", shown this once: %s\n",
			random.text + 3);
	sodium_memzero(&random, sizeof(random));
	return e->code;
}
