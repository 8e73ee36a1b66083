// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Every report stands for itself: a bad one is turned down with a word on why, its neighbours
 * are kept. */
#include "bridge/metrics/metric_report.h"

#include "bridge/metrics/metric_scan.h"
#include "protocol/buf.h"
#include "protocol/clock.h"
#include "protocol/jread.h"
#include "protocol/jwrite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the parts of a message go. */
struct parse {
	const struct metric_source *from;
	struct metric_message *out;
	struct metric_report **last_report;
	struct metric_rejection **last_rejection;
};

void metric_report_free_list(struct metric_report *list)
{
	struct metric_report *next;

	for (; list != NULL; list = next) {
		next = list->next;
		free(list);
	}
}

struct metric_report *metric_report_new(const struct metric_source *from, const char *extra,
					size_t len)
{
	/* One block: at 40,000 reports a second each malloc() counts. */
	struct metric_report *r = malloc(sizeof(*r) + len + 1);

	if (r == NULL)
		return NULL;
	*r = (struct metric_report){.worker = from->worker,
				    .received_ms = from->received_ms,
				    .seq = -1,
				    .memory = NAN,
				    .cpu = NAN,
				    .rate = NAN,
				    .extra_len = len};
	if (len > 0) {
		char *copy = (char *)(r + 1);

		memcpy(copy, extra, len);
		copy[len] = '\0';
		r->extra = copy;
	}
	return r;
}

void metric_message_fini(struct metric_message *m)
{
	struct metric_rejection *rejection;

	metric_report_free_list(m->reports);
	m->reports = NULL;
	while ((rejection = m->rejections) != NULL) {
		m->rejections = rejection->next;
		free(rejection);
	}
}

/* ---- one report -------------------------------------------------------------------------- */

static void read_number(struct json_object *value, const char *key, double *out, struct err *e)
{
	if (!json_object_is_type(value, json_type_int) &&
	    !json_object_is_type(value, json_type_double)) {
		err_set(e, ERR_INVALID_REQUEST, "%s: must be a number", key);
		return;
	}
	*out = json_object_get_double(value);
	if (!isfinite(*out))
		err_set(e, ERR_INVALID_REQUEST, "%s: is too large", key);
}

static void read_at(struct json_object *value, struct metric_report *out, struct err *e)
{
	const char *text = json_object_get_string(value);

	/* Times before 1970, and in it, mean a clock that was never set. */
	if (!json_object_is_type(value, json_type_string) ||
	    !clock_parse(text, (size_t)json_object_get_string_len(value), &out->at_ms) ||
	    out->at_ms <= 0)
		err_set(e, ERR_INVALID_REQUEST, "at: must be a time (RFC 3339)");
}

static void read_status(struct json_object *value, struct metric_report *out, struct err *e)
{
	size_t len = (size_t)json_object_get_string_len(value);

	if (!json_object_is_type(value, json_type_string) || len == 0 ||
	    len > ENGINE_STATUS_MAX || memchr(json_object_get_string(value), '\0', len) != NULL)
		err_set(e, ERR_INVALID_REQUEST,
			"engine_status: must be a string of 1 to %d bytes", ENGINE_STATUS_MAX);
	else
		memcpy(out->engine_status, json_object_get_string(value), len + 1);
}

static void write_extra(struct jwrite *w, const char *key, struct json_object *value,
			struct err *e)
{
	const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
	enum json_type type = json_object_get_type(value);

	if (type == json_type_object || type == json_type_array) {
		err_set(e, ERR_INVALID_REQUEST,
			"%.40s: must be a number, a string or a boolean", key);
		return;
	}
	if (type == json_type_double && !isfinite(json_object_get_double(value))) {
		err_set(e, ERR_INVALID_REQUEST, "%.40s: is too large", key);
		return;
	}
	jwrite_key(w, key, strlen(key));
	if (type == json_type_string)
		jwrite_strn(w, NULL, json_object_get_string(value),
			    (size_t)json_object_get_string_len(value));
	else /* as the worker wrote it: 0.10 stays 0.10, a 64-bit number all its digits */
		jwrite_raw(w, NULL, text, strlen(text));
}

static void read_key(const char *key, struct json_object *value, struct metric_report *out,
		     struct jwrite *extra, struct err *e)
{
	if (value == NULL || strcmp(key, "seq") == 0)
		return; /* null counts as absent; seq was read first */
	if (strcmp(key, "memory") == 0)
		read_number(value, key, &out->memory, e);
	else if (strcmp(key, "cpu") == 0)
		read_number(value, key, &out->cpu, e);
	else if (strcmp(key, "rate") == 0)
		read_number(value, key, &out->rate, e);
	else if (strcmp(key, "at") == 0)
		read_at(value, out, e);
	else if (strcmp(key, "engine_status") == 0)
		read_status(value, out, e);
	else
		write_extra(extra, key, value, e);
}

static void read_keys(struct json_object *obj, struct metric_report *out, struct buf *extra,
		      struct err *e)
{
	struct jwrite w;

	if (json_object_object_length(obj) > METRIC_KEYS_MAX)
		err_set(e, ERR_INVALID_REQUEST, "has more than %d keys", METRIC_KEYS_MAX);
	jwrite_begin(&w, extra);
	jwrite_object(&w, NULL);
	json_object_object_foreach(obj, key, value)
	{
		if (e->code != ERR_OK)
			return;
		read_key(key, value, out, &w, e);
	}
	jwrite_object_end(&w);
	if (e->code == ERR_OK && out->seq >= 0 && out->at_ms == 0)
		err_set(e, ERR_INVALID_REQUEST, "at: is required with seq");
	if (extra->failed)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
}

/* True if the report says how it can be answered. */
static bool read_seq(struct json_object *obj, int64_t *seq, struct err *e)
{
	struct json_object *value = json_object_object_get(obj, "seq");

	*seq = -1;
	if (value == NULL)
		return true;
	if (json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0) {
		*seq = json_object_get_int64(value);
		return true;
	}
	err_set(e, ERR_INVALID_REQUEST, "seq: must be an integer from 0");
	return false;
}

static struct metric_report *read_report(const struct parse *p, struct json_object *obj,
					 int64_t seq, struct err *e)
{
	struct metric_report read = {
		.seq = seq, .memory = NAN, .cpu = NAN, .rate = NAN, .at_ms = 0};
	struct metric_report *out = NULL;
	struct buf extra;

	buf_init(&extra, 8 * METRIC_PAYLOAD_MAX); /* escapes may make it longer than it came */
	read_keys(obj, &read, &extra, e);
	if (e->code == ERR_OK)
		out = metric_report_new(p->from, extra.data, extra.len > 2 ? extra.len : 0);
	if (out != NULL) {
		out->seq = seq;
		out->at_ms = read.at_ms != 0 ? read.at_ms : p->from->received_ms;
		out->memory = read.memory;
		out->cpu = read.cpu;
		out->rate = read.rate;
		memcpy(out->engine_status, read.engine_status, sizeof(out->engine_status));
	} else if (e->code == ERR_OK) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	buf_fini(&extra);
	return out;
}

/* ---- one message ------------------------------------------------------------------------- */

static void reject(struct parse *p, int64_t seq, const char *code, const struct err *e)
{
	struct metric_rejection *rejection = seq >= 0 ? calloc(1, sizeof(*rejection)) : NULL;

	p->out->refused += rejection == NULL;
	/* When memory is short nothing can be said about the report for ever: not answering
	 * makes the worker send it again. */
	if (rejection == NULL || e->code == ERR_OUT_OF_MEMORY) {
		free(rejection);
		return;
	}
	rejection->seq = seq;
	rejection->code = code;
	snprintf(rejection->message, sizeof(rejection->message), "%.119s", e->msg);
	*p->last_rejection = rejection;
	p->last_rejection = &rejection->next;
}

/* `refusal` is why no report of this message is taken, NULL if they are. */
static void take_report(struct parse *p, struct json_object *obj, const char *refusal)
{
	struct metric_report *report = NULL;
	struct err e = {0};
	int64_t seq = -1;

	if (!json_object_is_type(obj, json_type_object))
		err_set(&e, ERR_INVALID_REQUEST, "must be an object");
	else if (read_seq(obj, &seq, &e) && refusal != NULL)
		err_set(&e, ERR_INVALID_REQUEST, "%s", refusal);
	else if (e.code == ERR_OK)
		report = read_report(p, obj, seq, &e);
	if (report == NULL) {
		reject(p, seq, "INVALID_REPORT", &e);
		return;
	}
	*p->last_report = report;
	p->last_report = &report->next;
}

static void take_reports(struct parse *p, struct json_object *list, const char *refusal)
{
	size_t n = json_object_array_length(list);

	if (refusal == NULL && n > METRIC_REPORTS_MAX)
		refusal = "the message has more than 500 reports";
	for (size_t i = 0; i < n && i < METRIC_REJECTIONS_MAX; i++)
		take_report(p, json_object_array_get_idx(list, i), refusal);
	if (n > METRIC_REJECTIONS_MAX)
		p->out->refused += n - METRIC_REJECTIONS_MAX;
}

/* Reports that were measured too long ago, or not yet: the table has no room for their day. */
static void check_times(struct parse *p)
{
	struct metric_report **at = &p->out->reports, *r;
	struct err e = {0};

	while ((r = *at) != NULL) {
		const bool old = r->at_ms < p->from->oldest_ms;

		if (!old && r->at_ms <= p->from->newest_ms) {
			at = &r->next;
			continue;
		}
		err_set(&e, ERR_INVALID_REQUEST, "%s",
			old ? "at: is older than what is kept"
			    : "at: is in the future; the clock may be wrong");
		reject(p, r->seq, old ? "AT_TOO_OLD" : "AT_IN_FUTURE", &e);
		*at = r->next;
		free(r);
	}
	p->last_report = at;
}

static void parse_thoroughly(struct parse *p, const char *payload, size_t len)
{
	const char *refusal =
		len > METRIC_PAYLOAD_MAX ? "the message has more than 64 KiB" : NULL;
	struct json_object *doc, *list = NULL;
	struct err e = {0};
	bool is_object, many;

	doc = len <= METRIC_READ_MAX ? jread_parse(payload, len, &e) : NULL;
	is_object = json_object_is_type(doc, json_type_object);
	many = is_object && json_object_object_get_ex(doc, "reports", &list);
	if (!is_object || (many && !json_object_is_type(list, json_type_array)))
		p->out->refused = 1;
	else if (many)
		take_reports(p, list, refusal);
	else
		take_report(p, doc, refusal);
	json_object_put(doc);
}

void metric_message_parse(const struct metric_source *from, const char *payload, size_t len,
			  struct metric_message *out)
{
	struct parse p = {.from = from,
			  .out = out,
			  .last_report = &out->reports,
			  .last_rejection = &out->rejections};

	*out = (struct metric_message){0};
	if (len > METRIC_PAYLOAD_MAX || !metric_scan(from, payload, len, &out->reports))
		parse_thoroughly(&p, payload, len);
	check_times(&p);
}
