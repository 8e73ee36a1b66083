// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A row of GET /workers/status. Dashboards ask for all rows again and again while few of them
 * have changed, so everything but the connection and the age is kept as text. */
#include "bridge/worker_body.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (128 * 1024) /* a report has at most 64 KiB, a name 400 bytes */

static void write_head(struct jwrite *w, const struct record *k)
{
	jwrite_str(w, "worker_id", k->id.text);
	jwrite_str(w, "name", k->name);
	jwrite_str(w, "status", worker_status_name(k->status));
}

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

/* False: out of memory. */
static bool make_text(struct record *k)
{
	struct jwrite w;
	struct buf out;

	buf_init(&out, TEXT_MAX);
	jwrite_begin(&w, &out);
	write_head(&w, k);
	k->status_head_len = (uint32_t)out.len;
	w.comma = false; /* the connection's fields come between the two */
	write_report(&w, k);
	k->status_len = (uint32_t)out.len;
	k->status_text = buf_take(&out, NULL);
	return k->status_text != NULL;
}

void worker_write_report(struct jwrite *w, struct record *k)
{
	if (k->status_text == NULL && !make_text(k)) {
		w->out->failed = true;
		return;
	}
	jwrite_object(w, NULL);
	jwrite_str(w, "worker_id", k->id.text);
	jwrite_raw(w, NULL, k->status_text + k->status_head_len,
		   k->status_len - k->status_head_len);
	jwrite_object_end(w);
}

static void write_age(struct jwrite *w, int64_t received_ms, int64_t now_ms)
{
	const int64_t age_ms = now_ms > received_ms ? now_ms - received_ms : 0;
	char text[32], *at = text + sizeof(text);
	int64_t rest = age_ms;

	if (received_ms == 0) {
		jwrite_null(w, "last_report_age_seconds");
		return;
	}
	/* Always three decimals: 0.050 */
	for (int digit = 0; digit < 4 || rest > 0; digit++, rest /= 10) {
		if (digit == 3)
			*--at = '.';
		*--at = (char)('0' + rest % 10);
	}
	jwrite_raw(w, "last_report_age_seconds", at, (size_t)(text + sizeof(text) - at));
}

void worker_write_status(struct jwrite *w, struct record *k, const struct presence *p,
			 int64_t now_ms)
{
	if (k->status_text == NULL && !make_text(k)) {
		w->out->failed = true;
		return;
	}
	jwrite_object(w, NULL);
	jwrite_raw(w, NULL, k->status_text, k->status_head_len);
	worker_write_connected(w, "connected", p);
	jwrite_str(w, "state", presence_state_name(p->state));
	jwrite_raw(w, NULL, k->status_text + k->status_head_len,
		   k->status_len - k->status_head_len);
	write_age(w, k->latest.received_ms, now_ms);
	jwrite_time(w, "connected_since", p->connected_since_ms);
	jwrite_time(w, "disconnected_since", p->disconnected_since_ms);
	jwrite_str(w, "disconnect_reason", presence_reason_name(p->reason));
	jwrite_object_end(w);
}
