// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/identity.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/identity/key_use.h"
#include "bridge/identity/login_limit.h"
#include "protocol/clock.h"
#include "protocol/htab.h"
#include "protocol/log.h"

#include <stdlib.h>
#include <string.h>

/* And a quarter of a second until streams notice: a second is promised. */
#define REFRESH_MS 400

struct identity {
	struct app *app;
	struct timer *timer;
	struct identity_rows known; /* users and keys; `ended` is in the table below */
	struct htab ended;          /* struct ended_session by jti */
	uint64_t version;
	bool loaded;
	bool doubtful;   /* the database was away: it may be another one now */
	unsigned lapses; /* how often it had been when it was last asked */
	struct login_limit *login_limit;
	struct key_use *key_use;

	struct identity_rows read; /* by the job under way, its thread's until it is done */
	int64_t since;             /* what that job knows already; -1: nothing */
	bool reading;
	struct identity_wait *now;   /* wait for the reading under way */
	struct identity_wait *later; /* for the one after it */
};

/* ---- ended sessions ---------------------------------------------------------------------- */

static uint64_t hash_session(const void *item)
{
	return htab_hash_str(((const struct ended_session *)item)->jti);
}

static bool is_session(const void *item, const void *jti)
{
	return strcmp(((const struct ended_session *)item)->jti, jti) == 0;
}

bool identity_session_ended(const struct identity *i, const char *jti)
{
	return htab_find(&i->ended, htab_hash_str(jti), is_session, jti) != NULL;
}

void identity_end_session(struct identity *i, const struct ended_session *session)
{
	struct ended_session *copy;

	i->version++;
	if (identity_session_ended(i, session->jti))
		return;
	copy = malloc(sizeof(*copy));
	if (copy == NULL)
		return; /* the next reading brings it */
	*copy = *session;
	if (!htab_add(&i->ended, copy))
		free(copy);
}

/* Into a new table: removing moves entries about. */
static void keep_sessions(struct identity *i, int64_t expire_after_ms)
{
	struct ended_session *session;
	struct htab kept;
	size_t pos = 0;

	htab_init(&kept, hash_session);
	while ((session = htab_next(&i->ended, &pos)) != NULL)
		if (session->expires_ms <= expire_after_ms || !htab_add(&kept, session))
			free(session);
	htab_fini(&i->ended);
	i->ended = kept;
}

/* ---- reading ----------------------------------------------------------------------------- */

static enum err_code read_rows(struct db *db, void *arg, struct err *e)
{
	struct identity *i = arg;

	return store_identity_read(db, i->since, &i->read, e);
}

static void apply(struct identity *i)
{
	struct identity_rows *rows = &i->read;

	i->doubtful = false;
	if (i->loaded && !rows->all && rows->n == i->known.n)
		return;
	/* A session that ended stays ended until it would have expired, whatever a database
	 * says that was put back. */
	keep_sessions(i, clock_unix_ms());
	for (size_t k = 0; k < rows->ended_len; k++)
		identity_end_session(i, &rows->ended[k]);
	identity_rows_fini(&i->known);
	i->known = *rows;
	*rows = (struct identity_rows){0};
	i->loaded = true;
	i->version++;
}

static void start(struct identity *i);

static void rows_read(void *arg, struct err *e)
{
	struct identity *i = arg;
	struct identity_wait *waiting = i->now, *next;

	i->reading = false;
	i->now = NULL;
	if (e->code == ERR_OK)
		apply(i);
	else
		i->doubtful = true;
	if (e->code != ERR_OK && e->code != ERR_DATABASE_UNAVAILABLE)
		log_error("identity", "cannot read users and keys: %s", e->msg);
	identity_rows_fini(&i->read);
	for (; waiting != NULL; waiting = next) {
		next = waiting->next;
		waiting->done(waiting->arg, e);
	}
	if (i->later != NULL && !i->reading)
		start(i);
}

static void start(struct identity *i)
{
	const unsigned lapses = db_pool_lapses(i->app->db);

	/* It may have been away between two readings, neither of which failed. */
	i->doubtful = i->doubtful || lapses != i->lapses;
	i->lapses = lapses;
	i->reading = true;
	i->since = i->loaded && !i->doubtful ? i->known.n : -1;
	i->now = i->later;
	i->later = NULL;
	db_submit(i->app->db, read_rows, rows_read, i);
}

void identity_refresh(struct identity *i)
{
	if (!i->reading)
		start(i);
}

void identity_sync(struct identity *i, struct identity_wait *wait)
{
	wait->next = i->later;
	i->later = wait;
	identity_refresh(i);
}

static void on_timer(void *arg)
{
	struct identity *i = arg;

	identity_refresh(i);
	key_use_write(i->key_use, clock_unix_ms());
}

/* ---- for the rest of the bridge ---------------------------------------------------------- */

bool identity_loaded(const struct identity *i)
{
	return i->loaded;
}

uint64_t identity_version(const struct identity *i)
{
	return i->version;
}

const struct user_list *identity_users(const struct identity *i)
{
	return &i->known.users;
}

const struct key_list *identity_keys(const struct identity *i)
{
	return &i->known.keys;
}

struct login_limit *identity_login_limit(struct identity *i)
{
	return i->login_limit;
}

static int by_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct user_row *)item)->name);
}

const struct user_row *identity_user(const struct identity *i, const char *name)
{
	const struct user_list *list = &i->known.users;

	if (list->len == 0)
		return NULL;
	return bsearch(name, list->rows, list->len, sizeof(*list->rows), by_name);
}

/* In no constant time: what the difference tells is a hash's, from which nobody gets to a key.
 */
static int by_hash(const void *key, const void *item)
{
	return memcmp(key, &((const struct key_row *)item)->hash, sizeof(struct token_hash));
}

const struct key_row *identity_key(const struct identity *i, const struct token_hash *hash)
{
	const struct key_list *list = &i->known.keys;

	if (list->len == 0)
		return NULL;
	return bsearch(hash, list->rows, list->len, sizeof(*list->rows), by_hash);
}

void identity_key_used(struct identity *i, const struct token_hash *hash, int64_t now_ms)
{
	const struct key_row *key = identity_key(i, hash);

	if (key != NULL)
		key_use_note(i->key_use, key->id, now_ms);
}

int64_t identity_key_last_used(const struct identity *i, const struct key_row *key)
{
	const int64_t here_ms = key_use_last(i->key_use, key->id);

	return here_ms > key->last_used_ms ? here_ms : key->last_used_ms;
}

struct identity *identity_new(struct app *app, struct err *e)
{
	struct identity *i = calloc(1, sizeof(*i));

	if (i != NULL) {
		i->app = app;
		htab_init(&i->ended, hash_session);
		i->timer = timer_new(app->loop, on_timer, i);
		i->login_limit = login_limit_new(e);
		i->key_use = key_use_new(app, e);
	}
	if (i == NULL || i->timer == NULL || i->login_limit == NULL || i->key_use == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		identity_free(i);
		return NULL;
	}
	timer_every(i->timer, REFRESH_MS);
	return i;
}

void identity_free(struct identity *i)
{
	if (i == NULL)
		return;
	timer_free(i->timer);
	login_limit_free(i->login_limit);
	key_use_free(i->key_use);
	keep_sessions(i, INT64_MAX);
	htab_fini(&i->ended);
	identity_rows_fini(&i->known);
	identity_rows_fini(&i->read);
	free(i);
}
