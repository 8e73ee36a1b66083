// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* control_sync.c - commands about the directory: putWorkers, deleteWorkers, getDirectory,
 * beginSync, endSync. A message is read whole before any of it is applied. */
#include "plugin/control.h"

#include "plugin/dirsync.h"
#include "protocol/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUT_MAX 500
#define GET_LIMIT_MAX 1000
#define GET_LIMIT_DEFAULT 250

struct entries {
	struct dir_entry *at;
	size_t len;
};

/* ---- reading ---- */

static void read_revision(struct jread *r, struct revision *out)
{
	struct json_object *obj = jread_object_or_null(r, "revision");
	struct jread inner;
	struct err e = {0};
	const char *epoch;

	if (obj == NULL) {
		jread_fail(r, "revision", "is missing");
		return;
	}
	jread_begin(&inner, obj, &e);
	epoch = jread_str(&inner, "epoch", 1, EPOCH_MAX);
	out->n = jread_i64(&inner, "n", 0, INT64_MAX);
	if (jread_end(&inner) != ERR_OK)
		jread_fail(r, "revision", "%s", e.msg);
	else
		snprintf(out->epoch, sizeof(out->epoch), "%s", epoch);
}

static enum err_code read_token(struct json_object *obj, size_t index, struct dir_token *out,
				struct err *e)
{
	const char *hash, *role;
	struct jread r;

	jread_begin_at(&r, obj, e, "token_hashes", index);
	hash = jread_str(&r, "hash", TOKEN_HEX_LEN, TOKEN_HEX_LEN);
	if (hash != NULL && !token_hash_parse(hash, strlen(hash), &out->hash))
		jread_fail(&r, "hash", "must be a SHA-256 in hexadecimal");
	out->expires_ms = jread_time_or_0(&r, "expires_at");
	if (jread_any(&r, "expires_at") != NULL && out->expires_ms <= 0)
		out->expires_ms = 1; /* long ago; 0 would be never */
	role = jread_str_or(&r, "role", 1, 16, "current");
	if (role != NULL && !token_role_parse(role, &out->role))
		jread_fail(&r, "role", "must be current, pending or previous");
	return jread_end(&r);
}

static void read_tokens(struct jread *r, struct dir_entry *out)
{
	struct json_object *list = jread_array(r, "token_hashes", 0, DIRECTORY_HASHES_MAX);
	struct err e = {0};

	if (list == NULL)
		return;
	out->tokens_len = (int)json_object_array_length(list);
	for (size_t i = 0; i < (size_t)out->tokens_len; i++)
		if (read_token(json_object_array_get_idx(list, i), i, &out->tokens[i], &e) !=
		    ERR_OK) {
			jread_fail(r, "token_hashes", "%s", e.msg);
			return;
		}
}

static void read_put(struct jread *r, struct dir_entry *out)
{
	const char *status = jread_str(r, "status", 1, 32);

	if (status != NULL &&
	    (!dir_status_parse(status, &out->status) || out->status == DIR_DELETED))
		jread_fail(r, "status", "must be active, update_required or revoked");
	read_tokens(r, out);
}

static enum err_code read_entries(struct control_call *call, bool deleted, struct entries *out)
{
	struct json_object *list = jread_array(&call->in, "workers", 0, PUT_MAX);
	struct jread r;

	if (list == NULL || !control_spend(call, (int64_t)json_object_array_length(list)))
		return call->e->code;
	out->at = calloc(json_object_array_length(list) + 1, sizeof(*out->at));
	if (out->at == NULL)
		return err_set(call->e, ERR_OUT_OF_MEMORY, NULL);
	out->len = json_object_array_length(list);
	for (size_t i = 0; i < out->len; i++) {
		struct dir_entry *entry = &out->at[i];

		jread_begin_at(&r, json_object_array_get_idx(list, i), call->e, "workers", i);
		if (control_read_worker(&r, &entry->id))
			read_revision(&r, &entry->revision);
		entry->status = DIR_DELETED;
		if (!deleted)
			read_put(&r, entry);
		if (jread_end(&r) != ERR_OK)
			return call->e->code;
	}
	return ERR_OK;
}

/* ---- applying ---- */

static enum err_code check_epochs(struct control_call *call, const struct entries *entries)
{
	const struct directory *d = call->control->directory;

	for (size_t i = 0; i < entries->len; i++) {
		const char *epoch = entries->at[i].revision.epoch;

		if (strcmp(epoch, d->epoch) != 0 && strcmp(epoch, d->sync_epoch) != 0)
			return err_set(call->e, ERR_EPOCH_MISMATCH, NULL);
	}
	return ERR_OK;
}

static enum err_code apply_entries(struct control_call *call, const struct entries *entries,
				   bool in_sync)
{
	struct control *c = call->control;
	int counts[3] = {0}; /* by enum dir_change */
	struct dir_entry before;
	enum dir_change change;

	if (check_epochs(call, entries) != ERR_OK)
		return call->e->code;
	for (size_t i = 0; i < entries->len; i++) {
		const struct dir_entry *entry = &entries->at[i];

		if (directory_apply(c->directory, entry, &before, &change, call->e) != ERR_OK ||
		    (in_sync && dirsync_mention(c->sync, &entry->id, call->e) != ERR_OK))
			return call->e->code;
		counts[change]++;
		if (change == DIR_APPLIED)
			dirsync_enforce(c, &before, entry);
	}
	jwrite_i64(call->out, "applied", counts[DIR_APPLIED]);
	jwrite_i64(call->out, "unchanged", counts[DIR_UNCHANGED]);
	jwrite_i64(call->out, "stale", counts[DIR_STALE]);
	call->when_durable = true;
	return ERR_OK;
}

enum err_code control_put_workers(struct control_call *call)
{
	const char *sync_id = jread_str_or(&call->in, "sync_id", 1, 64, NULL);
	struct entries entries = {0};

	if (read_entries(call, false, &entries) == ERR_OK &&
	    (sync_id == NULL ||
	     dirsync_check(call->control->sync, call->client, sync_id, call->e) == ERR_OK))
		(void)(apply_entries(call, &entries, sync_id != NULL) == ERR_OK);
	free(entries.at);
	return call->e->code;
}

enum err_code control_delete_workers(struct control_call *call)
{
	struct entries entries = {0};

	if (read_entries(call, true, &entries) == ERR_OK)
		(void)(apply_entries(call, &entries, false) == ERR_OK);
	free(entries.at);
	return call->e->code;
}

/* ---- getDirectory ---- */

static void write_entry(void *arg, const char *key, size_t key_len, struct slice value)
{
	struct jwrite *w = arg;
	struct dir_entry entry;
	char hex[TOKEN_HEX_LEN + 1];

	if (!dir_entry_decode(key, key_len, value, &entry))
		return;
	jwrite_object(w, NULL);
	jwrite_str(w, "worker_id", entry.id.text);
	jwrite_str(w, "status", dir_status_name(entry.status));
	jwrite_object(w, "revision");
	jwrite_str(w, "epoch", entry.revision.epoch);
	jwrite_i64(w, "n", entry.revision.n);
	jwrite_object_end(w);
	jwrite_array(w, "token_hashes");
	for (int i = 0; i < entry.tokens_len; i++) {
		jwrite_object(w, NULL);
		token_hash_print(&entry.tokens[i].hash, hex);
		jwrite_str(w, "hash", hex);
		jwrite_time(w, "expires_at", entry.tokens[i].expires_ms);
		jwrite_str(w, "role", token_role_name(entry.tokens[i].role));
		jwrite_object_end(w);
	}
	jwrite_array_end(w);
	jwrite_object_end(w);
}

static void write_summary(struct jwrite *w, const struct directory *d)
{
	jwrite_str(w, "epoch", d->epoch[0] != '\0' ? d->epoch : NULL);
	jwrite_i64(w, "max_n", d->max_n);
	jwrite_i64(w, "count", d->live);
}

enum err_code control_get_directory(struct control_call *call)
{
	const char *after = jread_str_or(&call->in, "after", 1, WORKER_ID_MAX, NULL);
	int64_t limit = jread_i64_or(&call->in, "limit", GET_LIMIT_DEFAULT, 0, GET_LIMIT_MAX);
	char next[STORE_KEY_MAX + 1] = "";
	bool more = false;

	if (jread_failed(&call->in) || !control_spend(call, limit))
		return call->e->code;
	write_summary(call->out, call->control->directory);
	jwrite_array(call->out, "workers");
	if (limit > 0)
		more = store_page(call->control->store, STORE_DIRECTORY, after, (size_t)limit,
				  write_entry, call->out, next);
	jwrite_array_end(call->out);
	jwrite_str(call->out, "next", more ? next : NULL);
	return ERR_OK;
}

/* ---- beginSync, endSync ---- */

enum err_code control_begin_sync(struct control_call *call)
{
	const char *epoch = jread_str(&call->in, "epoch", 1, EPOCH_MAX);
	int64_t snapshot_n = jread_i64(&call->in, "snapshot_n", 0, INT64_MAX);
	const char *sync_id;

	if (jread_failed(&call->in) ||
	    dirsync_begin(call->control->sync, call->control, call->client, epoch, snapshot_n,
			  &sync_id, call->e) != ERR_OK)
		return call->e->code;
	jwrite_str(call->out, "sync_id", sync_id);
	write_summary(call->out, call->control->directory);
	return ERR_OK;
}

enum err_code control_end_sync(struct control_call *call)
{
	const char *sync_id = jread_str(&call->in, "sync_id", 1, 64);
	int64_t count = jread_i64(&call->in, "count", 0, INT64_MAX);
	bool force = jread_bool_or(&call->in, "force", false);

	if (jread_failed(&call->in) ||
	    dirsync_check(call->control->sync, call->client, sync_id, call->e) != ERR_OK)
		return call->e->code;
	return dirsync_end(call->control->sync, call, count, force);
}
