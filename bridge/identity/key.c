// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/key.h"

#include "bridge/app.h"
#include "bridge/identity/scope.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETAIL_MAX 1024
#define SECRET_BYTES 32

bool key_hash(const char *text, struct token_hash *out)
{
	const size_t len = strlen(text);

	if (len != KEY_SECRET_LEN || strncmp(text, KEY_PREFIX, strlen(KEY_PREFIX)) != 0)
		return false;
	token_hash(text, len, out);
	return true;
}

static void make_secret(char out[KEY_SECRET_LEN + 1])
{
	unsigned char random[SECRET_BYTES];
	const size_t prefix = strlen(KEY_PREFIX);

	randombytes_buf(random, sizeof(random));
	snprintf(out, KEY_SECRET_LEN + 1, "%s", KEY_PREFIX);
	sodium_bin2base64(out + prefix, KEY_SECRET_LEN + 1 - prefix, random, sizeof(random),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(random, sizeof(random));
}

/* As many random bits as a worker id has, after another prefix. */
static void make_id(char out[KEY_ID_LEN + 1])
{
	struct worker_id id;

	worker_id_generate(&id);
	snprintf(out, KEY_ID_LEN + 1, "key_%.16s", id.text + strlen(WORKER_ID_PREFIX));
}

static const char *const events[] = {[KEY_ADD] = "key_created", [KEY_DELETE] = "key_deleted"};

static enum err_code audit(struct db *db, const struct key_change *c, struct err *e)
{
	struct audit_row row = {
		.event = events[c->verb],
		.actor = c->from.actor,
		.address = c->from.address,
		.request_id = c->from.request_id,
	};
	char scopes[SCOPES_TEXT_SIZE];
	enum err_code code;
	struct buf detail;
	struct jwrite w;

	buf_init(&detail, DETAIL_MAX);
	jwrite_begin(&w, &detail);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "key_id", c->key.id);
	jwrite_str(&w, "name", c->key.name);
	if (c->verb == KEY_ADD) {
		scopes_print(c->key.scopes, scopes);
		jwrite_str(&w, "scopes", scopes);
		jwrite_time(&w, "expires_at", c->key.expires_ms);
	}
	jwrite_object_end(&w);
	row.detail = detail.failed ? NULL : detail.data;
	code = store_audit_add(db, &row, e);
	buf_fini(&detail);
	return code;
}

static enum err_code transact(struct db *db, void *arg, struct err *e)
{
	struct key_change *c = arg;
	int64_t n;

	if (store_identity_next(db, &n, e) != ERR_OK)
		return e->code;
	if (c->verb == KEY_ADD && store_key_add(db, &c->key, e) == ERR_CONFLICT)
		return err_set(e, ERR_CONFLICT, "there is a key \"%s\" already", c->key.name);
	if (c->verb == KEY_DELETE && store_key_delete(db, c->key.id, c->key.name, e) != ERR_OK)
		return e->code;
	return e->code == ERR_OK ? audit(db, c, e) : e->code;
}

static enum err_code work(struct db *db, void *arg, struct err *e)
{
	return db_transaction(db, transact, arg, e);
}

static void in_memory(void *arg, struct err *e)
{
	struct key_change *c = arg;

	c->done(c->arg, c, e);
}

static void committed(void *arg, struct err *e)
{
	struct key_change *c = arg;

	if (e->code != ERR_OK) {
		c->done(c->arg, c, e);
		return;
	}
	log_info("key", "key=%s name=\"%s\" %s by=%s", c->key.id, c->key.name, events[c->verb],
		 c->from.actor);
	c->wait = (struct identity_wait){.done = in_memory, .arg = c};
	identity_sync(c->app->identity, &c->wait);
}

void key_apply(struct app *app, enum key_verb verb, struct key_change *change,
	       void (*done)(void *arg, struct key_change *change, struct err *e), void *arg)
{
	change->app = app;
	change->verb = verb;
	change->done = done;
	change->arg = arg;
	if (verb == KEY_ADD) {
		make_id(change->key.id);
		make_secret(change->secret);
		token_hash(change->secret, KEY_SECRET_LEN, &change->key.hash);
		change->key.created_ms = clock_unix_ms();
		snprintf(change->key.created_by, sizeof(change->key.created_by), "%s",
			 change->from.actor);
	}
	db_submit(app->db, work, committed, change);
}

void key_change_free(struct key_change *change)
{
	if (change == NULL)
		return;
	sodium_memzero(change->secret, sizeof(change->secret));
	free(change);
}
