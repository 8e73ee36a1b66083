// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/audit.h"

#include "plugin/stats.h"
#include "protocol/clock.h"
#include "protocol/log.h"
#include "protocol/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_US 60000000

struct audit_row {
	enum refusal code;
	char worker[WORKER_ID_MAX + 1];
	char address[48];
	char client_id[CLIENT_ID_MAX + 1];
	int64_t held_back; /* refusals since the row was told */
};

static uint64_t hash_row(const void *item)
{
	const struct audit_row *r = item;

	return htab_hash_str(r->worker) ^ htab_hash_str(r->address) * 31 ^
	       (uint64_t)r->code * 0x9E3779B97F4A7C15u;
}

static bool match_row(const void *item, const void *key)
{
	const struct audit_row *a = item, *b = key;

	return a->code == b->code && strcmp(a->worker, b->worker) == 0 &&
	       strcmp(a->address, b->address) == 0;
}

void audit_open(struct audit *a, struct publish *publish, const char *node)
{
	*a = (struct audit){.publish = publish, .node = node};
	htab_init(&a->rows, hash_row);
	a->minute_ends_us = clock_mono_us() + MINUTE_US;
}

void audit_close(struct audit *a)
{
	struct audit_row *r;

	for (size_t pos = 0; (r = htab_next(&a->rows, &pos)) != NULL;)
		free(r);
	htab_fini(&a->rows);
}

static void tell(struct audit *a, const struct audit_row *r, int64_t count)
{
	struct buf out;
	struct jwrite w;

	buf_init(&out, 2048);
	jwrite_begin(&w, &out);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "node", a->node);
	jwrite_time(&w, "at", clock_unix_ms());
	jwrite_str(&w, "code", refusal_name(r->code));
	jwrite_str(&w, "worker_id", r->worker[0] != '\0' ? r->worker : NULL);
	jwrite_str(&w, "client_id", r->client_id[0] != '\0' ? r->client_id : NULL);
	jwrite_str(&w, "address", r->address[0] != '\0' ? r->address : NULL);
	jwrite_i64(&w, "count", count);
	jwrite_object_end(&w);
	stats_add(STAT_AUDIT_ROWS, 1);
	if (!out.failed)
		publish_all(a->publish, TOPIC_AUDIT, out.data, out.len);
	buf_fini(&out);
	log_warn("admit", "refused code=%s worker=%s client=%s address=%s count=%lld",
		 refusal_name(r->code), r->worker, r->client_id, r->address, (long long)count);
}

void audit_refused(struct audit *a, enum refusal code, const char *worker,
		   const char *client_id, const char *address)
{
	struct audit_row key = {.code = code}, *r;

	if (a->rows.len < AUDIT_ROWS_MAX) {
		snprintf(key.worker, sizeof(key.worker), "%s", worker);
		snprintf(key.address, sizeof(key.address), "%s",
			 address != NULL ? address : "");
		snprintf(key.client_id, sizeof(key.client_id), "%s",
			 client_id != NULL ? client_id : "");
	}
	r = htab_find(&a->rows, hash_row(&key), match_row, &key);
	if (r != NULL) {
		r->held_back++;
		return;
	}
	r = malloc(sizeof(*r));
	if (r == NULL)
		return;
	*r = key;
	if (!htab_add(&a->rows, r)) {
		free(r);
		return;
	}
	tell(a, r, 1);
}

void audit_tick(struct audit *a, int64_t now_us)
{
	struct htab old = a->rows;
	struct audit_row *r;

	if (now_us < a->minute_ends_us)
		return;
	a->minute_ends_us = now_us + MINUTE_US;
	htab_init(&a->rows, hash_row);
	for (size_t pos = 0; (r = htab_next(&old, &pos)) != NULL;) {
		/* A row that held something back is told now, and is the new minute's row. */
		if (r->held_back > 0 && htab_add(&a->rows, r)) {
			tell(a, r, r->held_back);
			r->held_back = 0;
		} else {
			free(r);
		}
	}
	htab_fini(&old);
}
