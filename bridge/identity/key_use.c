// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/key_use.h"

#include "bridge/app.h"
#include "bridge/store/store_key.h"
#include "protocol/htab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_EVERY_MS 60000
#define BATCH_MAX 50

/* Of deleted keys, too, until the bridge ends: there are few. */
struct use {
	char id[KEY_ID_LEN + 1];
	int64_t used_ms, written_ms;
};

struct key_use {
	struct app *app;
	struct htab uses;
	struct use batch[BATCH_MAX]; /* copies for the job under way */
	size_t batch_len;            /* 0: there is none */
};

static uint64_t hash_use(const void *item)
{
	return htab_hash_str(((const struct use *)item)->id);
}

static bool is_key(const void *item, const void *id)
{
	return strcmp(((const struct use *)item)->id, id) == 0;
}

static struct use *find(const struct key_use *u, const char *id)
{
	return htab_find(&u->uses, htab_hash_str(id), is_key, id);
}

void key_use_note(struct key_use *u, const char *id, int64_t now_ms)
{
	struct use *use = find(u, id);

	if (use == NULL && (use = calloc(1, sizeof(*use))) != NULL) {
		snprintf(use->id, sizeof(use->id), "%s", id);
		if (!htab_add(&u->uses, use)) {
			free(use);
			use = NULL;
		}
	}
	if (use != NULL)
		use->used_ms = now_ms;
}

int64_t key_use_last(const struct key_use *u, const char *id)
{
	const struct use *use = find(u, id);

	return use != NULL ? use->used_ms : 0;
}

static enum err_code write_batch(struct db *db, void *arg, struct err *e)
{
	const struct key_use *u = arg;

	for (size_t k = 0; k < u->batch_len; k++)
		if (store_key_used(db, u->batch[k].id, u->batch[k].used_ms, e) != ERR_OK)
			return e->code;
	return ERR_OK;
}

/* What failed is tried again the next time. */
static void written(void *arg, struct err *e)
{
	struct key_use *u = arg;

	for (size_t k = 0; k < u->batch_len && e->code == ERR_OK; k++)
		find(u, u->batch[k].id)->written_ms = u->batch[k].used_ms;
	u->batch_len = 0;
}

void key_use_write(struct key_use *u, int64_t now_ms)
{
	struct use *use;
	size_t pos = 0;

	if (u->batch_len > 0)
		return;
	while (u->batch_len < BATCH_MAX && (use = htab_next(&u->uses, &pos)) != NULL)
		if (use->used_ms != use->written_ms &&
		    now_ms - use->written_ms >= WRITE_EVERY_MS)
			u->batch[u->batch_len++] = *use;
	if (u->batch_len > 0)
		db_submit(u->app->db, write_batch, written, u);
}

struct key_use *key_use_new(struct app *app, struct err *e)
{
	struct key_use *u = calloc(1, sizeof(*u));

	if (u == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	u->app = app;
	htab_init(&u->uses, hash_use);
	return u;
}

void key_use_free(struct key_use *u)
{
	struct use *use;
	size_t pos = 0;

	if (u == NULL)
		return;
	while ((use = htab_next(&u->uses, &pos)) != NULL)
		free(use);
	htab_fini(&u->uses);
	free(u);
}
