// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/directory.h"

#include "plugin/codec.h"
#include "protocol/log.h"

#include <stdio.h>
#include <string.h>

#define RECORD_VERSION 1
#define RECORD_MAX_BYTES 512
#define META_EPOCH "epoch"

static const char *const statuses[] = {"active", "update_required", "revoked", "deleted"};
static const char *const roles[] = {"current", "pending", "previous"};

static int index_of(const char *const names[], size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], text) == 0)
			return (int)i;
	return -1;
}

const char *dir_status_name(enum dir_status status)
{
	return statuses[status];
}

bool dir_status_parse(const char *text, enum dir_status *status)
{
	int i = index_of(statuses, ARRAY_LEN(statuses), text);

	*status = (enum dir_status)i;
	return i >= 0;
}

const char *token_role_name(enum token_role role)
{
	return roles[role];
}

bool token_role_parse(const char *text, enum token_role *role)
{
	int i = index_of(roles, ARRAY_LEN(roles), text);

	*role = (enum token_role)i;
	return i >= 0;
}

/* ---- records ---- */

static void encode(const struct dir_entry *entry, struct buf *out)
{
	enc_u8(out, RECORD_VERSION);
	enc_u8(out, (uint8_t)entry->status);
	enc_i64(out, entry->revision.n);
	enc_str(out, entry->revision.epoch);
	enc_u8(out, (uint8_t)entry->tokens_len);
	for (int i = 0; i < entry->tokens_len; i++) {
		enc_bytes(out, entry->tokens[i].hash.bytes, TOKEN_HASH_BYTES);
		enc_i64(out, entry->tokens[i].expires_ms);
		enc_u8(out, (uint8_t)entry->tokens[i].role);
	}
}

bool dir_entry_decode(const char *key, size_t key_len, struct slice value,
		      struct dir_entry *out)
{
	struct dec d;

	*out = (struct dir_entry){0};
	dec_begin(&d, value.data, value.len);
	if (!worker_id_parse(key, key_len, &out->id) || dec_u8(&d) != RECORD_VERSION)
		return false;
	out->status = (enum dir_status)dec_u8(&d);
	out->revision.n = dec_i64(&d);
	dec_str(&d, out->revision.epoch, sizeof(out->revision.epoch));
	out->tokens_len = dec_u8(&d);
	if (d.failed || out->tokens_len > DIRECTORY_HASHES_MAX || out->status > DIR_DELETED)
		return false;
	for (int i = 0; i < out->tokens_len; i++) {
		dec_bytes(&d, out->tokens[i].hash.bytes, TOKEN_HASH_BYTES);
		out->tokens[i].expires_ms = dec_i64(&d);
		out->tokens[i].role = (enum token_role)(dec_u8(&d) % ARRAY_LEN(roles));
	}
	return !d.failed;
}

bool directory_get(struct directory *d, const struct worker_id *id, struct dir_entry *out)
{
	struct slice value;

	return store_get(d->store, STORE_DIRECTORY, id->text, strlen(id->text), &value) &&
	       dir_entry_decode(id->text, strlen(id->text), value, out);
}

bool directory_owns(struct directory *d, const char *user)
{
	struct slice value;
	size_t len = strnlen(user, WORKER_ID_MAX + 1);

	if (strncmp(user, WORKER_ID_PREFIX, strlen(WORKER_ID_PREFIX)) == 0)
		return true;
	return len <= WORKER_ID_MAX && store_get(d->store, STORE_DIRECTORY, user, len, &value);
}

const struct dir_token *dir_entry_token(const struct dir_entry *entry,
					const struct token_hash *hash)
{
	const struct dir_token *found = NULL;

	for (int i = 0; i < entry->tokens_len; i++)
		if (token_hash_equal(&entry->tokens[i].hash, hash))
			found = &entry->tokens[i];
	return found;
}

bool directory_token_of_other(struct directory *d, const struct token_hash *hash,
			      const struct worker_id *id)
{
	struct slice owner;

	return store_get(d->store, STORE_TOKENS, hash->bytes, TOKEN_HASH_BYTES, &owner) &&
	       (owner.len != strlen(id->text) || memcmp(owner.data, id->text, owner.len) != 0);
}

/* ---- counting at start ---- */

static void count_one(void *arg, const char *key, size_t key_len, struct slice value)
{
	struct directory *d = arg;
	struct dir_entry entry;

	if (!dir_entry_decode(key, key_len, value, &entry)) {
		log_error("directory", "a record of %zu bytes is damaged and was left out",
			  value.len);
		return;
	}
	if (entry.status != DIR_DELETED)
		d->live++;
	if (strcmp(entry.revision.epoch, d->epoch) == 0 && entry.revision.n > d->max_n)
		d->max_n = entry.revision.n;
}

void directory_open(struct directory *d, struct store *store)
{
	char next[STORE_KEY_MAX + 1], after[STORE_KEY_MAX + 1];
	struct slice value;
	bool more;

	*d = (struct directory){.store = store};
	if (store_get(store, STORE_META, META_EPOCH, strlen(META_EPOCH), &value) &&
	    value.len <= EPOCH_MAX)
		memcpy(d->epoch, value.data, value.len);
	more = store_page(store, STORE_DIRECTORY, NULL, 1000, count_one, d, next);
	while (more) {
		memcpy(after, next, sizeof(after));
		more = store_page(store, STORE_DIRECTORY, after, 1000, count_one, d, next);
	}
}

/* ---- changes ---- */

/* How an entry relates to what is known of the worker. */
static enum dir_change compare(const struct directory *d, const struct dir_entry *known,
			       const struct dir_entry *entry)
{
	if (strcmp(known->revision.epoch, entry->revision.epoch) != 0) {
		/* The old epoch's bridge must not undo what the new one's has put already. */
		bool known_is_newer = d->sync_epoch[0] != '\0' &&
				      strcmp(known->revision.epoch, d->sync_epoch) == 0;

		return known_is_newer ? DIR_STALE : DIR_APPLIED;
	}
	if (known->revision.n == entry->revision.n)
		return DIR_UNCHANGED;
	return known->revision.n > entry->revision.n ? DIR_STALE : DIR_APPLIED;
}

static enum err_code write_tokens(struct directory *d, const struct dir_entry *before,
				  const struct dir_entry *entry, struct err *e)
{
	for (int i = 0; i < before->tokens_len; i++)
		if (dir_entry_token(entry, &before->tokens[i].hash) == NULL &&
		    !directory_token_of_other(d, &before->tokens[i].hash, &entry->id) &&
		    store_delete(d->store, STORE_TOKENS, before->tokens[i].hash.bytes,
				 TOKEN_HASH_BYTES, e) != ERR_OK)
			return e->code;
	for (int i = 0; i < entry->tokens_len; i++)
		if (store_put(d->store, STORE_TOKENS, entry->tokens[i].hash.bytes,
			      TOKEN_HASH_BYTES, entry->id.text, strlen(entry->id.text),
			      e) != ERR_OK)
			return e->code;
	return ERR_OK;
}

static enum err_code write_entry(struct directory *d, const struct dir_entry *entry,
				 struct err *e)
{
	struct buf record;

	buf_init(&record, RECORD_MAX_BYTES);
	encode(entry, &record);
	if (record.failed)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		(void)(store_put(d->store, STORE_DIRECTORY, entry->id.text,
				 strlen(entry->id.text), record.data, record.len, e) == ERR_OK);
	buf_fini(&record);
	return e->code;
}

static enum err_code replace(struct directory *d, const struct dir_entry *before,
			     const struct dir_entry *entry, struct err *e)
{
	if (write_tokens(d, before, entry, e) != ERR_OK || write_entry(d, entry, e) != ERR_OK)
		return e->code;
	d->live += (entry->status != DIR_DELETED) - (before->status != DIR_DELETED);
	if (strcmp(entry->revision.epoch, d->epoch) == 0 && entry->revision.n > d->max_n)
		d->max_n = entry->revision.n;
	return ERR_OK;
}

enum err_code directory_apply(struct directory *d, const struct dir_entry *entry,
			      struct dir_entry *before, enum dir_change *change, struct err *e)
{
	const char *epoch = entry->revision.epoch;
	bool known = directory_get(d, &entry->id, before);

	e->code = ERR_OK;
	if (strcmp(epoch, d->epoch) != 0 && strcmp(epoch, d->sync_epoch) != 0)
		return err_set(e, ERR_EPOCH_MISMATCH, NULL);
	if (!known)
		*before = (struct dir_entry){.id = entry->id, .status = DIR_DELETED};
	*change = known ? compare(d, before, entry) : DIR_APPLIED;
	if (*change != DIR_APPLIED)
		return ERR_OK;
	return replace(d, before, entry, e);
}

enum err_code directory_drop(struct directory *d, const struct dir_entry *tombstone,
			     struct dir_entry *before, bool *dropped, struct err *e)
{
	e->code = ERR_OK;
	*dropped = directory_get(d, &tombstone->id, before) && before->status != DIR_DELETED &&
		   (strcmp(before->revision.epoch, tombstone->revision.epoch) != 0 ||
		    before->revision.n <= tombstone->revision.n);
	return *dropped ? replace(d, before, tombstone, e) : ERR_OK;
}

enum err_code directory_set_epoch(struct directory *d, const char *epoch, struct err *e)
{
	if (strcmp(d->epoch, epoch) == 0)
		return ERR_OK;
	if (store_put(d->store, STORE_META, META_EPOCH, strlen(META_EPOCH), epoch,
		      strlen(epoch), e) != ERR_OK)
		return e->code;
	snprintf(d->epoch, sizeof(d->epoch), "%s", epoch);
	d->max_n = 0; /* whoever sets it raises this to the snapshot's n */
	return ERR_OK;
}
