// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/metrics/metric_keys.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

static enum err_code add_one(struct metric_keys *k, const char *name, size_t len, struct err *e)
{
	char *copy;

	if (len == 0 || len > METRIC_KEY_BYTES_MAX)
		return err_set(e, ERR_INVALID_REQUEST, "keys: each must have 1 to %d bytes",
			       METRIC_KEY_BYTES_MAX);
	if (k->len == METRIC_KEYS_ASKED_MAX)
		return err_set(e, ERR_INVALID_REQUEST, "keys: more than %d",
			       METRIC_KEYS_ASKED_MAX);
	copy = strndup(name, len);
	if (copy == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	k->names[k->len++] = copy;
	return ERR_OK;
}

enum err_code metric_keys_add(struct metric_keys *k, const char *list, struct err *e)
{
	for (;;) {
		const size_t len = strcspn(list, ",");

		if (add_one(k, list, len, e) != ERR_OK || list[len] == '\0')
			return e->code;
		list += len + 1;
	}
}

void metric_keys_fini(struct metric_keys *k)
{
	while (k->len > 0)
		free(k->names[--k->len]);
}

bool metric_keys_want(const struct metric_keys *k, const char *name)
{
	for (size_t i = 0; i < k->len; i++)
		if (strcmp(k->names[i], name) == 0)
			return true;
	return k->len == 0;
}

static bool has_column(const char *name)
{
	return strcmp(name, "memory") == 0 || strcmp(name, "cpu") == 0 ||
	       strcmp(name, "rate") == 0 || strcmp(name, "engine_status") == 0;
}

bool metric_keys_want_further(const struct metric_keys *k)
{
	for (size_t i = 0; i < k->len; i++)
		if (!has_column(k->names[i]))
			return true;
	return k->len == 0;
}

void metric_keys_write(const struct metric_keys *k, struct jwrite *w)
{
	jwrite_array(w, NULL);
	for (size_t i = 0; i < k->len; i++)
		jwrite_str(w, NULL, k->names[i]);
	jwrite_array_end(w);
}

static void write_number(struct jwrite *w, const char *name, double value,
			 const struct metric_keys *keys)
{
	if (metric_keys_want(keys, name))
		jwrite_f64(w, name, value);
}

static void write_numbers(struct jwrite *w, double memory, double cpu, double rate,
			  const struct metric_keys *keys)
{
	write_number(w, "memory", memory, keys);
	write_number(w, "cpu", cpu, keys);
	write_number(w, "rate", rate, keys);
}

/* Those of an object that are wanted. */
static void write_chosen(struct jwrite *w, const char *extra, const struct metric_keys *keys)
{
	struct json_object *all = json_tokener_parse(extra), *value;

	jwrite_object(w, "metrics");
	for (size_t i = 0; i < keys->len; i++) {
		const char *text;

		if (!json_object_object_get_ex(all, keys->names[i], &value))
			continue;
		text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
		jwrite_key(w, keys->names[i], strlen(keys->names[i]));
		jwrite_raw(w, NULL, text, strlen(text));
	}
	jwrite_object_end(w);
	json_object_put(all);
}

static void write_further(struct jwrite *w, const char *extra, const struct metric_keys *keys)
{
	if (extra == NULL)
		extra = "{}";
	if (keys->len == 0)
		jwrite_raw(w, "metrics", extra, strlen(extra));
	else
		write_chosen(w, extra, keys);
}

void metric_row_write(struct jwrite *w, const struct worker_id *worker,
		      const struct metric_row *row, const struct metric_keys *keys)
{
	jwrite_object(w, NULL);
	jwrite_str(w, "worker_id", worker->text);
	jwrite_time(w, "received_at", row->received_ms);
	jwrite_time(w, "at", row->at_ms);
	if (row->seq >= 0)
		jwrite_i64(w, "seq", row->seq);
	else
		jwrite_null(w, "seq");
	write_numbers(w, row->memory, row->cpu, row->rate, keys);
	if (metric_keys_want(keys, "engine_status"))
		jwrite_str(w, "engine_status",
			   row->engine_status[0] != '\0' ? row->engine_status : NULL);
	write_further(w, row->extra, keys);
	jwrite_object_end(w);
}

void metric_bucket_write(struct jwrite *w, const struct worker_id *worker,
			 const struct metric_bucket *bucket, const struct metric_keys *keys)
{
	jwrite_object(w, NULL);
	jwrite_str(w, "worker_id", worker->text);
	jwrite_time(w, "at", bucket->at_ms);
	jwrite_i64(w, "reports", bucket->reports);
	write_numbers(w, bucket->memory, bucket->cpu, bucket->rate, keys);
	jwrite_object(w, "metrics");
	if (bucket->further.len > 0)
		jwrite_raw(w, NULL, bucket->further.data, bucket->further.len);
	jwrite_object_end(w);
	jwrite_object_end(w);
}
