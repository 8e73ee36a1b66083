// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET and POST /users, PATCH and DELETE /users/{name} */
#include "bridge/app.h"
#include "bridge/http/routes.h"
#include "bridge/identity/auth.h"
#include "bridge/identity/identity.h"
#include "bridge/identity/signin.h"
#include "bridge/identity/user.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX ((size_t)16 * 1024 * 1024)
#define ANSWER_MAX 4096

static void write_user(struct jwrite *w, const struct user_row *user)
{
	jwrite_object(w, NULL);
	jwrite_str(w, "username", user->name);
	jwrite_str(w, "role", role_name(user->role));
	jwrite_time(w, "created_at", user->created_ms);
	jwrite_object_end(w);
}

enum err_code rest_user_list(struct request *rq, struct err *e)
{
	const struct user_list *users = identity_users(rq->app->identity);
	struct jwrite w;
	struct buf body;

	(void)e;
	buf_init(&body, LIST_MAX);
	jwrite_begin(&w, &body);
	jwrite_array(&w, NULL);
	for (size_t i = 0; i < users->len; i++)
		write_user(&w, &users->rows[i]);
	jwrite_array_end(&w);
	respond_json(rq, 200, &body);
	return ERR_OK;
}

static void read_role(struct jread *r, struct user_change *c)
{
	const char *role = jread_str_or(r, "role", 0, 20, NULL);

	c->has_role = role != NULL;
	if (c->has_role && !role_parse(role, &c->role))
		jread_fail(r, "role", "must be admin or viewer");
}

static void read_password(struct jread *r, struct user_change *c)
{
	const char *password = jread_str_or(r, "password", PASSWORD_MIN, PASSWORD_MAX, NULL);

	if (password != NULL && (c->password = strdup(password)) == NULL)
		err_set(r->e, ERR_OUT_OF_MEMORY, NULL);
}

static void respond_user(struct request *rq, unsigned status, const struct user_row *user)
{
	struct jwrite w;
	struct buf body;

	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	write_user(&w, user);
	respond_json(rq, status, &body);
}

static void changed(void *arg, struct user_change *change, struct err *e)
{
	struct request *rq = arg;

	if (e->code == ERR_OK)
		respond_user(rq, change->verb == USER_ADD ? 201 : 200, &change->user);
	else
		respond_error(rq, e);
	user_change_free(change);
}

enum err_code rest_user_add(struct request *rq, struct err *e)
{
	static const char *const keys[] = {"username", "password", "role", NULL};
	struct user_change *c = calloc(1, sizeof(*c));
	const char *name;
	struct jread r;

	if (c == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	request_read(rq, &r, e);
	jread_only(&r, keys);
	name = jread_str(&r, "username", 1, USER_NAME_MAX);
	read_role(&r, c);
	read_password(&r, c);
	if (!jread_failed(&r) && !user_name_valid(name))
		jread_fail(&r, "username",
			   "must have 1 to %d of the characters A-Z a-z 0-9 _ . @ -",
			   USER_NAME_MAX);
	if (!c->has_role)
		jread_fail(&r, "role", "is missing");
	if (c->password == NULL)
		jread_fail(&r, "password", "is missing");
	if (jread_end(&r) != ERR_OK) {
		user_change_free(c);
		return e->code;
	}
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->from = auth_origin(rq);
	user_apply(rq->app, USER_ADD, c, changed, rq);
	return ERR_OK;
}

/* The user of the path, as known to this bridge. A name of no valid form is nobody's. */
static struct user_change *change_of_path(struct request *rq, struct err *e)
{
	struct user_change *c;

	if (!user_name_valid(rq->param)) {
		err_set(e, ERR_NOT_FOUND, "no such user");
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	snprintf(c->name, sizeof(c->name), "%s", rq->param);
	c->from = auth_origin(rq);
	return c;
}

enum err_code rest_user_change(struct request *rq, struct err *e)
{
	static const char *const keys[] = {"password", "role", NULL};
	struct user_change *c = change_of_path(rq, e);
	struct jread r;

	if (c == NULL)
		return e->code;
	request_read(rq, &r, e);
	jread_only(&r, keys);
	read_role(&r, c);
	read_password(&r, c);
	if (!c->has_role && c->password == NULL)
		jread_fail(&r, "role", "or password must be there: nothing to change");
	if (jread_end(&r) != ERR_OK) {
		user_change_free(c);
		return e->code;
	}
	user_apply(rq->app, USER_CHANGE, c, changed, rq);
	return ERR_OK;
}

/* Keys belong to the installation; whoever deletes a user should know what that user left. */
static int64_t keys_made_by(const struct app *app, const char *name)
{
	const struct key_list *keys = identity_keys(app->identity);
	int64_t n = 0;

	for (size_t i = 0; i < keys->len; i++)
		n += strcmp(keys->rows[i].created_by, name) == 0;
	return n;
}

static void deleted(void *arg, struct user_change *change, struct err *e)
{
	struct request *rq = arg;
	struct jwrite w;
	struct buf body;

	if (e->code != ERR_OK) {
		respond_error(rq, e);
		user_change_free(change);
		return;
	}
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_bool(&w, "success", true);
	jwrite_str(&w, "username", change->name);
	jwrite_i64(&w, "keys_left", keys_made_by(rq->app, change->name));
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
	user_change_free(change);
}

enum err_code rest_user_delete(struct request *rq, struct err *e)
{
	struct user_change *c = change_of_path(rq, e);

	if (c == NULL)
		return e->code;
	user_apply(rq->app, USER_DELETE, c, deleted, rq);
	return ERR_OK;
}
