// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/proof.h"

#include "plugin/codec.h"
#include "protocol/clock.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <string.h>

#define RECORD_VERSION 1
#define RECORD_BYTES (1 + TOKEN_HASH_BYTES + 1 + 8)
#define ACK_MAX_BYTES 4096

static const char *const hows[] = {"login", "acknowledgement"};

const char *proof_how_name(enum proof_how how)
{
	return hows[how];
}

bool proof_decode(const char *key, size_t key_len, struct slice value, struct proof *out)
{
	struct dec d;

	dec_begin(&d, value.data, value.len);
	if (!worker_id_parse(key, key_len, &out->id) || dec_u8(&d) != RECORD_VERSION)
		return false;
	dec_bytes(&d, out->hash.bytes, TOKEN_HASH_BYTES);
	out->how = (enum proof_how)(dec_u8(&d) % ARRAY_LEN(hows));
	out->at_ms = dec_i64(&d);
	return !d.failed;
}

static bool load(struct store *s, const struct worker_id *id, struct proof *out)
{
	struct slice value;

	return store_get(s, STORE_PROOFS, id->text, strlen(id->text), &value) &&
	       proof_decode(id->text, strlen(id->text), value, out);
}

static enum err_code save(struct store *s, const struct proof *proof, struct err *e)
{
	struct buf record;

	e->code = ERR_OK;
	buf_init(&record, RECORD_BYTES);
	enc_u8(&record, RECORD_VERSION);
	enc_bytes(&record, proof->hash.bytes, TOKEN_HASH_BYTES);
	enc_u8(&record, (uint8_t)proof->how);
	enc_i64(&record, proof->at_ms);
	if (record.failed)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		(void)(store_put(s, STORE_PROOFS, proof->id.text, strlen(proof->id.text),
				 record.data, record.len, e) == ERR_OK);
	buf_fini(&record);
	return e->code;
}

static void tell(struct publish *p, const struct proof *proof)
{
	char renewal_id[RENEWAL_ID_LEN + 1];
	struct jwrite w;
	struct buf out;

	renewal_id_of(&proof->hash, renewal_id);
	buf_init(&out, 1024);
	jwrite_begin(&w, &out);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "node", p->node);
	jwrite_time(&w, "at", proof->at_ms);
	jwrite_str(&w, "worker_id", proof->id.text);
	jwrite_str(&w, "renewal_id", renewal_id);
	jwrite_str(&w, "by", proof_how_name(proof->how));
	jwrite_object_end(&w);
	if (!out.failed)
		publish_all(p, TOPIC_TOKEN, out.data, out.len);
	buf_fini(&out);
}

void proof_note(struct store *s, struct publish *p, const struct worker_id *id,
		const struct token_hash *hash, enum proof_how how)
{
	const struct proof proof = {*id, *hash, how, clock_unix_ms()};
	struct proof known;
	struct err e;

	/* Repeated by a worker that was not heard: told again, but stored once. A login proves
	 * more than words, so it replaces them. */
	if ((!load(s, id, &known) || !token_hash_equal(&known.hash, hash) ||
	     (known.how == PROOF_ACK && how == PROOF_LOGIN)) &&
	    save(s, &proof, &e) != ERR_OK)
		log_error("proof", "worker=%s not stored: %s", id->text, e.msg);
	tell(p, &proof);
}

void proof_settle(struct store *s, const struct dir_entry *entry)
{
	const struct dir_token *token;
	struct proof known;
	struct err e;

	if (!load(s, &entry->id, &known))
		return;
	token = dir_entry_token(entry, &known.hash);
	if (token != NULL && token->role == TOKEN_PENDING && entry->status != DIR_DELETED)
		return;
	if (store_delete(s, STORE_PROOFS, entry->id.text, strlen(entry->id.text), &e) != ERR_OK)
		log_error("proof", "worker=%s not forgotten: %s", entry->id.text, e.msg);
}

static const struct dir_token *pending_of(const struct dir_entry *entry, const char *renewal_id)
{
	char id[RENEWAL_ID_LEN + 1];

	for (int i = 0; i < entry->tokens_len; i++) {
		renewal_id_of(&entry->tokens[i].hash, id);
		if (entry->tokens[i].role == TOKEN_PENDING && strcmp(id, renewal_id) == 0)
			return &entry->tokens[i];
	}
	return NULL;
}

const struct dir_token *proof_acknowledged(const struct dir_entry *entry, const char *payload,
					   size_t len)
{
	const struct dir_token *token = NULL;
	struct json_object *doc;
	const char *renewal_id;
	struct err e = {0};
	struct jread r;
	bool success;

	if (payload == NULL || len > ACK_MAX_BYTES)
		return NULL;
	doc = jread_parse(payload, len, &e);
	if (doc == NULL)
		return NULL;
	jread_begin(&r, doc, &e);
	success = jread_bool_or(&r, "success", false);
	renewal_id = jread_str_or(&r, "renewal_id", 1, RENEWAL_ID_LEN, NULL);
	if (!jread_failed(&r) && success && renewal_id != NULL)
		token = pending_of(entry, renewal_id);
	json_object_put(doc);
	return token;
}
