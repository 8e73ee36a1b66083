// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/object.h"

#include "plugin/codec.h"

#include <string.h>

#define RECORD_VERSION 1
#define RECORD_MAX_BYTES 511 /* twelve numbers, and the detail */

static void encode(const struct object *o, struct buf *out)
{
	const struct presence *p = &o->last;

	enc_u8(out, RECORD_VERSION);
	enc_u8(out, (uint8_t)p->state);
	enc_u8(out, (uint8_t)p->reason);
	enc_i64(out, p->sessions);
	enc_i64(out, p->pos.boot);
	enc_i64(out, p->pos.seq);
	enc_i64(out, p->generation);
	enc_i64(out, p->at_ms);
	enc_i64(out, p->connected_since_ms);
	enc_i64(out, p->disconnected_since_ms);
	enc_str(out, p->detail);
	enc_i64(out, o->generation);
	enc_i64(out, o->reserved);
	enc_i64(out, o->connects_full_us);
}

bool object_decode(const char *key, size_t key_len, struct slice value, struct object *out)
{
	struct presence *p = &out->last;
	struct dec d;

	*out = (struct object){0};
	dec_begin(&d, value.data, value.len);
	if (!worker_id_parse(key, key_len, &p->worker) || dec_u8(&d) != RECORD_VERSION)
		return false;
	p->state = (enum presence_state)dec_u8(&d);
	p->reason = (enum presence_reason)dec_u8(&d);
	p->sessions = (int)dec_i64(&d);
	p->pos.boot = dec_i64(&d);
	p->pos.seq = dec_i64(&d);
	p->generation = dec_i64(&d);
	p->at_ms = dec_i64(&d);
	p->connected_since_ms = dec_i64(&d);
	p->disconnected_since_ms = dec_i64(&d);
	dec_str(&d, p->detail, sizeof(p->detail));
	out->generation = dec_i64(&d);
	out->reserved = dec_i64(&d);
	if (d.at < d.end) /* records were shorter once */
		out->connects_full_us = dec_i64(&d);
	return !d.failed && p->state <= PRESENCE_ONLINE && p->reason <= REASON_BROKER_SHUTDOWN;
}

bool object_load(struct store *s, const struct worker_id *id, struct object *out)
{
	struct slice value;

	return store_get(s, STORE_OBJECTS, id->text, strlen(id->text), &value) &&
	       object_decode(id->text, strlen(id->text), value, out);
}

enum err_code object_save(struct store *s, const struct object *object, struct err *e)
{
	const char *id = object->last.worker.text;
	char space[RECORD_MAX_BYTES + 1];
	struct buf record;

	e->code = ERR_OK;
	buf_init_on(&record, space, sizeof(space));
	encode(object, &record);
	if (record.failed)
		return err_set(e, ERR_INTERNAL, "an object's record is too long");
	return store_put(s, STORE_OBJECTS, id, strlen(id), record.data, record.len, e);
}

static void note_reserved(void *arg, const char *key, size_t key_len, struct slice value)
{
	int64_t *highest = arg;
	struct object object;

	if (object_decode(key, key_len, value, &object) && object.reserved > *highest)
		*highest = object.reserved;
}

int64_t object_highest_reserved(struct store *s)
{
	char next[STORE_KEY_MAX + 1], after[STORE_KEY_MAX + 1] = "";
	int64_t highest = 0;

	while (store_page(s, STORE_OBJECTS, after[0] != '\0' ? after : NULL, 1000,
			  note_reserved, &highest, next))
		memcpy(after, next, sizeof(after));
	return highest;
}

bool reported_load(struct store *s, const struct worker_id *id, struct reported_state *out)
{
	struct slice value;
	struct dec d;

	if (!store_get(s, STORE_REPORTED, id->text, strlen(id->text), &value))
		return false;
	dec_begin(&d, value.data, value.len);
	if (dec_u8(&d) != RECORD_VERSION)
		return false;
	out->at_ms = dec_i64(&d);
	dec_str(&d, out->engine_status, sizeof(out->engine_status));
	out->json = (struct slice){d.at, (size_t)(d.end - d.at)};
	return !d.failed;
}

enum err_code reported_save(struct store *s, const struct worker_id *id,
			    const struct reported_state *state, struct err *e)
{
	struct buf record;

	e->code = ERR_OK;
	buf_init(&record, REPORTED_MAX_BYTES + 256);
	enc_u8(&record, RECORD_VERSION);
	enc_i64(&record, state->at_ms);
	enc_str(&record, state->engine_status);
	enc_bytes(&record, state->json.data, state->json.len);
	if (record.failed)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		(void)(store_put(s, STORE_REPORTED, id->text, strlen(id->text), record.data,
				 record.len, e) == ERR_OK);
	buf_fini(&record);
	return e->code;
}

enum err_code object_forget(struct store *s, const struct worker_id *id, struct err *e)
{
	if (store_delete(s, STORE_OBJECTS, id->text, strlen(id->text), e) != ERR_OK)
		return e->code;
	return store_delete(s, STORE_REPORTED, id->text, strlen(id->text), e);
}
