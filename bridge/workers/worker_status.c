// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A row of GET /workers/status. Dashboards ask for all rows again and again while few of them
 * have changed, so a row is kept as text. Only the age of the report is new in every answer; it
 * is written where the text has its gap. */
#include "bridge/workers/worker_body.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (128 * 1024) /* a report has at most 64 KiB, a name 400 bytes */
#define AGE_BYTES 32

static void write_number(struct jwrite *w, const char *key, const struct metric_latest *m,
			 double value)
{
	if (m->received_ms == 0)
		jwrite_null(w, key);
	else
		jwrite_f64(w, key, value);
}

static void write_report(struct jwrite *w, const struct record *k)
{
	const struct metric_latest *m = &k->latest;

	jwrite_str(w, "engine_status", m->engine_status[0] != '\0' ? m->engine_status : NULL);
	jwrite_str(w, "desired_engine_status", k->desired);
	write_number(w, "memory", m, m->memory);
	write_number(w, "cpu", m, m->cpu);
	write_number(w, "rate", m, m->rate);
	worker_write_metrics(w, m->json);
	jwrite_time(w, "last_report", m->received_ms);
}

void worker_status_make(struct record *k, const struct presence *p, uint64_t epoch)
{
	struct status_row *row = &k->status_row;
	struct jwrite w;
	struct buf out;

	status_row_drop(row);
	buf_init(&out, TEXT_MAX);
	jwrite_begin(&w, &out);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "worker_id", k->id.text);
	jwrite_str(&w, "name", k->name);
	jwrite_str(&w, "status", worker_status_name(k->status));
	worker_write_connected(&w, "connected", p);
	jwrite_str(&w, "state", presence_state_name(p->state));
	row->report_at = (uint32_t)out.len + 1; /* after its comma */
	write_report(&w, k);
	row->report_end = (uint32_t)out.len;
	jwrite_raw(&w, "last_report_age_seconds", "", 0);
	row->age_at = (uint32_t)out.len;
	jwrite_time(&w, "connected_since", p->connected_since_ms);
	jwrite_time(&w, "disconnected_since", p->disconnected_since_ms);
	jwrite_str(&w, "disconnect_reason", presence_reason_name(p->reason));
	jwrite_object_end(&w);
	row->len = (uint32_t)out.len;
	row->text = buf_take(&out, NULL);
	row->epoch = row->text != NULL ? epoch : 0; /* else the next one who asks tries */
}

/* Always three decimals: 0.050. Returns where it begins; it ends at `end`. */
static char *put_age(char *end, int64_t received_ms, int64_t now_ms)
{
	int64_t rest = now_ms > received_ms ? now_ms - received_ms : 0;
	char *at = end;

	if (received_ms == 0) /* its end is where it stops */
		// NOLINTNEXTLINE(bugprone-not-null-terminated-result)
		return memcpy(end - 4, "null", 4);
	for (int digit = 0; digit < 4 || rest > 0; digit++, rest /= 10) {
		if (digit == 3)
			*--at = '.';
		*--at = (char)('0' + rest % 10);
	}
	return at;
}

void worker_status_add(struct jwrite *w, const struct record *k, int64_t now_ms)
{
	const struct status_row *row = &k->status_row;
	char age[AGE_BYTES], *from = put_age(age + sizeof(age), k->latest.received_ms, now_ms);
	const size_t age_len = (size_t)(age + sizeof(age) - from);
	char *at = buf_reserve(w->out, row->len + age_len + 1);

	if (row->text == NULL)
		w->out->failed = true;
	if (row->text == NULL || at == NULL)
		return;
	if (w->comma)
		*at++ = ',';
	w->comma = true;
	memcpy(at, row->text, row->age_at);
	at += row->age_at;
	memcpy(at, from, age_len);
	at += age_len;
	memcpy(at, row->text + row->age_at, row->len - row->age_at);
	at += row->len - row->age_at;
	*at = '\0';
	w->out->len = (size_t)(at - w->out->data);
}

void worker_write_report(struct jwrite *w, const struct record *k)
{
	const struct status_row *row = &k->status_row;

	jwrite_object(w, NULL);
	jwrite_str(w, "worker_id", k->id.text);
	/* The row's own text of it is good even where its connection's part is not. */
	if (row->text != NULL)
		jwrite_raw(w, NULL, row->text + row->report_at,
			   row->report_end - row->report_at);
	else
		write_report(w, k);
	jwrite_object_end(w);
}
