// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* GET and POST /keys, DELETE /keys/{id} */
#include "bridge/app.h"
#include "bridge/http/routes.h"
#include "bridge/identity/auth.h"
#include "bridge/identity/identity.h"
#include "bridge/identity/key.h"
#include "protocol/clock.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX ((size_t)4 * 1024 * 1024)
#define ANSWER_MAX 4096
#define SCOPES_LIST_MAX 16

static void write_key(struct jwrite *w, const struct key_row *key)
{
	jwrite_str(w, "id", key->id);
	jwrite_str(w, "name", key->name);
	jwrite_array(w, "scopes");
	for (unsigned bit = 1; bit <= SCOPE_ADMIN; bit <<= 1)
		if (key->scopes & bit)
			jwrite_str(w, NULL, scope_name((enum scope)bit));
	jwrite_array_end(w);
	jwrite_str(w, "created_by", key->created_by);
	jwrite_time(w, "created_at", key->created_ms);
	jwrite_time(w, "expires_at", key->expires_ms);
}

static int by_age(const void *a, const void *b)
{
	const struct key_row *x = *(const struct key_row *const *)a;
	const struct key_row *y = *(const struct key_row *const *)b;

	if (x->created_ms != y->created_ms)
		return x->created_ms < y->created_ms ? -1 : 1;
	return strcmp(x->id, y->id);
}

enum err_code rest_key_list(struct request *rq, struct err *e)
{
	const struct key_list *keys = identity_keys(rq->app->identity);
	const struct key_row **sorted = calloc(keys->len + 1, sizeof(*sorted));
	struct jwrite w;
	struct buf body;

	if (sorted == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	for (size_t i = 0; i < keys->len; i++)
		sorted[i] = &keys->rows[i];
	qsort(sorted, keys->len, sizeof(*sorted), by_age);
	buf_init(&body, LIST_MAX);
	jwrite_begin(&w, &body);
	jwrite_array(&w, NULL);
	for (size_t i = 0; i < keys->len; i++) {
		jwrite_object(&w, NULL);
		write_key(&w, sorted[i]);
		jwrite_time(&w, "last_used_at",
			    identity_key_last_used(rq->app->identity, sorted[i]));
		jwrite_object_end(&w);
	}
	jwrite_array_end(&w);
	free(sorted);
	respond_json(rq, 200, &body);
	return ERR_OK;
}

/* ---- POST /keys -------------------------------------------------------------------------- */

/* It goes into the audit trail as who it was, and one line of a log. */
static bool name_valid(const char *name)
{
	const size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (name[i] < ' ' || name[i] > '~' || name[i] == '"')
			return false;
	return len >= 1 && len <= KEY_NAME_MAX && name[0] != ' ' && name[len - 1] != ' ';
}

static void read_scopes(struct jread *r, struct key_row *key)
{
	struct json_object *list = jread_array_or_null(r, "scopes", SCOPES_LIST_MAX);

	if (list == NULL) {
		key->scopes = SCOPE_READ;
		return;
	}
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *text = json_object_is_type(item, json_type_string)
					   ? json_object_get_string(item)
					   : "";
		const enum scope scope = scope_parse(text, strlen(text));

		if (scope == SCOPE_OPEN) {
			jread_fail(r, "scopes",
				   "[%zu] must be read, workers:write, commands:write or admin",
				   i);
			return;
		}
		key->scopes |= (unsigned)scope;
	}
	if (key->scopes == 0)
		jread_fail(r, "scopes", "must have at least one");
}

static void read_key(struct jread *r, struct key_row *key)
{
	static const char *const keys[] = {"name", "scopes", "expires_at", NULL};
	const char *name;

	jread_only(r, keys);
	name = jread_str(r, "name", 1, KEY_NAME_MAX);
	read_scopes(r, key);
	key->expires_ms = jread_time_or_0(r, "expires_at");
	if (!jread_failed(r) && !name_valid(name))
		jread_fail(
			r, "name",
			"must have 1 to %d ASCII characters, no quotes, no blanks at its ends",
			KEY_NAME_MAX);
	if (key->expires_ms != 0 && key->expires_ms <= clock_unix_ms())
		jread_fail(r, "expires_at", "has passed already");
	if (!jread_failed(r))
		snprintf(key->name, sizeof(key->name), "%s", name);
}

static void added(void *arg, struct key_change *change, struct err *e)
{
	struct request *rq = arg;
	struct jwrite w;
	struct buf body;

	if (e->code != ERR_OK) {
		respond_error(rq, e);
		key_change_free(change);
		return;
	}
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	write_key(&w, &change->key);
	jwrite_str(&w, "key", change->secret);
	jwrite_object_end(&w);
	respond_json(rq, 201, &body);
	key_change_free(change);
}

enum err_code rest_key_add(struct request *rq, struct err *e)
{
	struct key_change *c = calloc(1, sizeof(*c));
	struct jread r;

	if (c == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	request_read(rq, &r, e);
	read_key(&r, &c->key);
	if (jread_end(&r) == ERR_OK && identity_keys(rq->app->identity)->len >= KEYS_MAX)
		err_set(e, ERR_CONFLICT, "there are %d keys already, which is the most",
			KEYS_MAX);
	if (e->code != ERR_OK) {
		key_change_free(c);
		return e->code;
	}
	c->from = auth_origin(rq);
	key_apply(rq->app, KEY_ADD, c, added, rq);
	return ERR_OK;
}

/* ---- DELETE /keys/{id} ------------------------------------------------------------------- */

static void deleted(void *arg, struct key_change *change, struct err *e)
{
	struct request *rq = arg;
	struct jwrite w;
	struct buf body;

	if (e->code != ERR_OK) {
		respond_error(rq, e);
		key_change_free(change);
		return;
	}
	buf_init(&body, ANSWER_MAX);
	jwrite_begin(&w, &body);
	jwrite_object(&w, NULL);
	jwrite_bool(&w, "success", true);
	jwrite_str(&w, "id", change->key.id);
	jwrite_object_end(&w);
	respond_json(rq, 200, &body);
	key_change_free(change);
}

enum err_code rest_key_delete(struct request *rq, struct err *e)
{
	struct key_change *c;

	/* One of another form is none, and need not be ASCII. */
	if (strlen(rq->param) != KEY_ID_LEN || strncmp(rq->param, "key_", 4) != 0 ||
	    strspn(rq->param + 4, "abcdefghijklmnopqrstuvwxyz234567") != KEY_ID_LEN - 4)
		return err_set(e, ERR_NOT_FOUND, "no such key");
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	snprintf(c->key.id, sizeof(c->key.id), "%s", rq->param);
	c->from = auth_origin(rq);
	key_apply(rq->app, KEY_DELETE, c, deleted, rq);
	return ERR_OK;
}
