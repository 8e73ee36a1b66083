// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/workers/directory_entry.h"

#include <stdio.h>
#include <string.h>

static const char *const roles[] = {"current", "pending", "previous"};

const char *token_role_name(enum token_role role)
{
	return roles[role];
}

bool token_role_parse(const char *text, enum token_role *out)
{
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (strcmp(roles[i], text) == 0) {
			*out = (enum token_role)i;
			return true;
		}
	return false;
}

bool worker_status_parse(const char *text, enum worker_status *out)
{
	for (int i = WORKER_ACTIVE; i <= WORKER_REVOKED; i++)
		if (strcmp(worker_status_name((enum worker_status)i), text) == 0) {
			*out = (enum worker_status)i;
			return true;
		}
	return false;
}

static bool has_token(const struct directory_entry *entry, const struct directory_token *token)
{
	for (size_t i = 0; i < entry->tokens_len; i++)
		if (strcmp(entry->tokens[i].hash, token->hash) == 0)
			return entry->tokens[i].role == token->role &&
			       entry->tokens[i].expires_ms == token->expires_ms;
	return false;
}

bool directory_entry_equal(const struct directory_entry *a, const struct directory_entry *b)
{
	if (!worker_id_equal(&a->worker, &b->worker) || a->deleted != b->deleted)
		return false;
	if (a->deleted)
		return true;
	if (a->status != b->status || a->tokens_len != b->tokens_len)
		return false;
	for (size_t i = 0; i < a->tokens_len; i++)
		if (!has_token(b, &a->tokens[i]))
			return false;
	return true;
}

static void write_tokens(struct jwrite *w, const struct directory_entry *entry)
{
	jwrite_array(w, "token_hashes");
	for (size_t i = 0; i < entry->tokens_len; i++) {
		const struct directory_token *token = &entry->tokens[i];

		jwrite_object(w, NULL);
		jwrite_str(w, "hash", token->hash);
		jwrite_time(w, "expires_at", token->expires_ms);
		jwrite_str(w, "role", token_role_name(token->role));
		jwrite_object_end(w);
	}
	jwrite_array_end(w);
}

void directory_entry_write(struct jwrite *w, const struct directory_entry *entry,
			   const char *epoch)
{
	jwrite_object(w, NULL);
	jwrite_str(w, "worker_id", entry->worker.text);
	if (!entry->deleted) {
		jwrite_str(w, "status", worker_status_name(entry->status));
		write_tokens(w, entry);
	}
	jwrite_object(w, "revision");
	jwrite_str(w, "epoch", epoch);
	jwrite_i64(w, "n", entry->n);
	jwrite_object_end(w);
	jwrite_object_end(w);
}

static void read_token(struct json_object *item, size_t index, struct directory_entry *out,
		       struct err *e)
{
	struct directory_token *token = &out->tokens[out->tokens_len];
	const char *hash, *role;
	struct jread r;

	jread_begin_at(&r, item, e, "token_hashes", index);
	hash = jread_str(&r, "hash", TOKEN_HEX_LEN, TOKEN_HEX_LEN);
	role = jread_str(&r, "role", 1, 16);
	token->expires_ms = jread_time_or_0(&r, "expires_at");
	if (role != NULL && !token_role_parse(role, &token->role))
		jread_fail(&r, "role", "is none that is known");
	if (hash != NULL)
		snprintf(token->hash, sizeof(token->hash), "%s", hash);
	out->tokens_len++;
}

static void read_status(struct jread *r, struct directory_entry *out)
{
	const char *status = jread_str(r, "status", 1, 32);

	if (status == NULL)
		return;
	out->deleted = strcmp(status, "deleted") == 0;
	if (!out->deleted && !worker_status_parse(status, &out->status))
		jread_fail(r, "status", "is none that is known");
}

enum err_code directory_entry_read(struct json_object *item, size_t index,
				   struct directory_entry *out, struct err *e)
{
	struct json_object *tokens, *revision;
	const char *id;
	struct jread r;

	*out = (struct directory_entry){0};
	jread_begin_at(&r, item, e, "workers", index);
	id = jread_str(&r, "worker_id", 1, WORKER_ID_MAX);
	if (id != NULL && !worker_id_parse(id, strlen(id), &out->worker))
		jread_fail(&r, "worker_id", "is not a worker id");
	read_status(&r, out);
	tokens = jread_array_or_null(&r, "token_hashes", DIRECTORY_TOKENS_MAX);
	revision = jread_object_or_null(&r, "revision");
	if (revision == NULL)
		jread_fail(&r, "revision", "is missing");
	for (size_t i = 0;
	     !jread_failed(&r) && tokens != NULL && i < json_object_array_length(tokens); i++)
		read_token(json_object_array_get_idx(tokens, i), i, out, e);
	if (!jread_failed(&r)) {
		jread_begin(&r, revision, e);
		out->n = jread_i64(&r, "n", 0, INT64_MAX);
	}
	return jread_end(&r);
}
