// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Metric reports: what is taken keeps the limits, and the quick way of reading agrees with the
 * thorough one. */
#include "bridge/metrics/metric_scan.h"
#include "protocol/buf.h"
#include "protocol/jread.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>

static const struct metric_source source = {.worker = {"wrk_a"},
					    .received_ms = INT64_C(1795450000123),
					    .oldest_ms = INT64_C(1795000000000),
					    .newest_ms = INT64_C(1796000000000)};

static bool is_number(double value)
{
	return isnan(value) || isfinite(value);
}

static void check_extra(const struct metric_report *r)
{
	static const char *const own[] = {"memory", "cpu", "rate",
					  "seq",    "at",  "engine_status"};
	struct json_object *doc;
	struct err e;

	must((r->extra == NULL) == (r->extra_len == 0));
	if (r->extra == NULL)
		return;
	must(strlen(r->extra) == r->extra_len);
	doc = jread_parse(r->extra, r->extra_len, &e);
	must(json_object_is_type(doc, json_type_object));
	must(json_object_object_length(doc) <= METRIC_KEYS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		must(!json_object_object_get_ex(doc, own[i], NULL));
	json_object_put(doc);
}

static void check_message(const struct metric_message *m)
{
	size_t reports = 0, rejections = 0;

	for (const struct metric_report *r = m->reports; r != NULL; r = r->next, reports++) {
		must(worker_id_equal(&r->worker, &source.worker) && r->seq >= -1);
		must(r->at_ms >= source.oldest_ms && r->at_ms <= source.newest_ms);
		must(is_number(r->memory) && is_number(r->cpu) && is_number(r->rate));
		must(strlen(r->engine_status) <= ENGINE_STATUS_MAX);
		check_extra(r);
	}
	for (const struct metric_rejection *r = m->rejections; r != NULL; r = r->next) {
		must(r->seq >= 0 && r->message[0] != '\0');
		rejections++;
	}
	must(reports <= METRIC_REPORTS_MAX);
	must(reports + rejections <= METRIC_REJECTIONS_MAX);
}

static bool same_number(double a, double b)
{
	return (isnan(a) && isnan(b)) || a == b;
}

static bool same_reports(const struct metric_report *a, const struct metric_report *b)
{
	for (; a != NULL && b != NULL; a = a->next, b = b->next)
		if (a->seq != b->seq || a->at_ms != b->at_ms ||
		    !same_number(a->memory, b->memory) || !same_number(a->cpu, b->cpu) ||
		    !same_number(a->rate, b->rate) ||
		    strcmp(a->engine_status, b->engine_status) != 0 ||
		    a->extra_len != b->extra_len ||
		    (a->extra != NULL && strcmp(a->extra, b->extra) != 0))
			return false;
	return a == NULL && b == NULL;
}

/* The same message with a key that says nothing, but that the quick way leaves alone. */
static void make_thorough(const char *text, size_t len, struct buf *out)
{
	const char *brace = memchr(text, '{', len);
	const size_t head = (size_t)(brace - text) + 1;
	size_t next = head;

	while (next < len && strchr(" \t\r\n", text[next]) != NULL)
		next++;
	buf_add(out, text, head);
	buf_add_str(out, "\"nothing\":null");
	if (next < len && text[next] != '}')
		buf_add_char(out, ',');
	buf_add(out, text + head, len - head);
}

static void check_both_ways(const char *text, size_t len, const struct metric_message *m)
{
	struct metric_report *list;
	struct metric_message other;
	struct buf thorough;

	if (!metric_scan(&source, text, len, &list)) {
		must(list == NULL);
		return;
	}
	metric_report_free_list(list);
	buf_init(&thorough, len + 64);
	make_thorough(text, len, &thorough);
	must(!metric_scan(&source, thorough.data, thorough.len, &list) && list == NULL);
	metric_message_parse(&source, thorough.data, thorough.len, &other);
	must(same_reports(m->reports, other.reports) && m->refused == other.refused);
	metric_message_fini(&other);
	buf_fini(&thorough);
}

FUZZ_NEEDS_NOTHING_BEFORE

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	struct metric_message m;

	metric_message_parse(&source, text, len, &m);
	check_message(&m);
	if (len + 64 <= METRIC_PAYLOAD_MAX && len > 0)
		check_both_ways(text, len, &m);
	metric_message_fini(&m);
	return 0;
}
