// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/audit/audit.h"

#include "bridge/app.h"
#include "bridge/audit/audit_limit.h"
#include "bridge/base/loop.h"
#include "bridge/base/tally.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <stdlib.h>
#include <string.h>

/* A fleet that comes back must fit, and must not be pushed out by whoever knocks meanwhile. */
#define QUEUE_SEEN_MAX 50000
#define QUEUE_OTHERS_MAX 10000
#define BATCH_MAX 500
#define RETRY_MS 500
#define SUMS_EVERY_MS 60000
/* A storm's rows go together and behind it: to write them takes processors from the workers
 * that come back. It is over when none was added for GATHER_MS. */
#define STORM_ROWS 20 /* in a batch */
#define GATHER_MS 500
#define GATHER_MAX_MS 2000
#define TEXTS 8

struct queued {
	struct audit_row row; /* its texts follow */
	struct queued *next;
	char texts[];
};

struct audit {
	struct app *app;
	struct queued *first, **last; /* waiting */
	size_t seen, others;          /* of them, by kind */
	struct queued *batch;         /* with the database thread */
	bool storm, gathering;        /* the last batch was one of many rows; the timer runs */
	int64_t submitted_us;         /* when that was */
	int64_t put_us;               /* when the last row was added */
	struct timer *retry, *sums;   /* retry: also when a storm's rows are gathered */
	struct audit_limit limit;
};

static void submit(struct audit *a);

static size_t *count_of(struct audit *a, const struct queued *q)
{
	return q->row.seen != NULL ? &a->seen : &a->others;
}

/* ---- into the database ------------------------------------------------------------------- */

struct batch {
	const struct audit_row *const *rows;
	size_t len;
};

static enum err_code add_rows(struct db *db, void *arg, struct err *e)
{
	const struct batch *b = arg;

	return store_audit_add_all(db, b->rows, b->len, e);
}

static enum err_code write_rows(struct db *db, const struct audit_row *const rows[], size_t len,
				struct err *e)
{
	struct batch b = {rows, len};

	return db_transaction(db, add_rows, &b, e);
}

/* Fails only where it may go well in a while. */
static enum err_code write_batch(struct db *db, const struct audit_row *const rows[],
				 size_t len, struct err *e)
{
	enum err_code code = write_rows(db, rows, len, e);

	if (code == ERR_OK || code == ERR_DATABASE_UNAVAILABLE)
		return code;
	/* One that can never be stored must not take the others with it. */
	for (size_t i = 0; i < len; i++) {
		code = write_rows(db, &rows[i], 1, e);
		if (code == ERR_DATABASE_UNAVAILABLE)
			return code;
		if (code != ERR_OK) {
			log_error("audit", "event=%s not recorded: %s", rows[i]->event, e->msg);
			tally_add(TALLY_AUDIT_DROPPED);
		}
	}
	e->code = ERR_OK;
	return ERR_OK;
}

static enum err_code work(struct db *db, void *arg, struct err *e)
{
	const struct audit_row *rows[BATCH_MAX] = {NULL};
	const struct audit *a = arg;
	size_t len = 0;

	for (const struct queued *q = a->batch; q != NULL; q = q->next)
		rows[len++] = &q->row;
	return write_batch(db, rows, len, e);
}

static void free_list(struct queued *q)
{
	struct queued *next;

	for (; q != NULL; q = next) {
		next = q->next;
		free(q);
	}
}

/* Back to the front of the queue. */
static void put_back(struct audit *a)
{
	struct queued **end = &a->batch;

	for (; *end != NULL; end = &(*end)->next)
		++*count_of(a, *end);
	*end = a->first;
	if (a->first == NULL)
		a->last = end;
	a->first = a->batch;
	a->batch = NULL;
}

static void on_written(void *arg, struct err *e)
{
	struct audit *a = arg;

	if (e->code != ERR_OK) {
		put_back(a);
		timer_once(a->retry, RETRY_MS);
		return;
	}
	free_list(a->batch);
	a->batch = NULL;
	submit(a);
}

/* Rows about what somebody did are waited for, and never wait themselves. */
static bool may_gather(const struct audit *a)
{
	const int64_t now_us = clock_mono_us();

	return a->storm && a->others == 0 && a->seen < QUEUE_SEEN_MAX / 2 &&
	       now_us - a->put_us < GATHER_MS * 1000 &&
	       now_us - a->submitted_us < GATHER_MAX_MS * 1000;
}

static void submit(struct audit *a)
{
	struct queued **end = &a->first;
	size_t n = 0;

	if (a->batch != NULL || a->first == NULL)
		return;
	if (may_gather(a)) {
		if (!a->gathering)
			timer_once(a->retry, GATHER_MS);
		a->gathering = true;
		return;
	}
	for (; n < BATCH_MAX && *end != NULL; n++) {
		--*count_of(a, *end);
		end = &(*end)->next;
	}
	/* While more wait, batches follow one another. */
	a->storm = n >= STORM_ROWS && *end == NULL;
	a->submitted_us = clock_mono_us();
	a->batch = a->first;
	a->first = *end;
	*end = NULL;
	if (a->first == NULL)
		a->last = &a->first;
	db_submit(a->app->db, work, on_written, a);
}

static void on_retry(void *arg)
{
	struct audit *a = arg;

	a->gathering = false;
	submit(a);
}

/* ---- the queue --------------------------------------------------------------------------- */

/* The row's texts, in one order. */
static void texts_of(struct audit_row *row, const char **out[TEXTS])
{
	const char **const texts[TEXTS] = {&row->worker_id, &row->event,   &row->code,
					   &row->actor,     &row->address, &row->request_id,
					   &row->detail,    &row->seen};

	memcpy(out, texts, sizeof(texts));
}

/* NULL: out of memory. */
static struct queued *copy_of(const struct audit_row *row)
{
	struct audit_row measured = *row;
	const char **texts[TEXTS];
	struct queued *q;
	size_t size = 0;
	char *at;

	texts_of(&measured, texts);
	for (size_t i = 0; i < TEXTS; i++)
		size += *texts[i] != NULL ? strlen(*texts[i]) + 1 : 0;
	q = malloc(sizeof(*q) + size);
	if (q == NULL)
		return NULL;
	*q = (struct queued){.row = *row};
	at = q->texts;
	texts_of(&q->row, texts);
	for (size_t i = 0; i < TEXTS; i++) {
		const size_t len = *texts[i] != NULL ? strlen(*texts[i]) + 1 : 0;

		if (len == 0)
			continue;
		memcpy(at, *texts[i], len);
		*texts[i] = at;
		at += len;
	}
	return q;
}

void audit_put(struct audit *a, const struct audit_row *row)
{
	const bool room =
		row->seen != NULL ? a->seen < QUEUE_SEEN_MAX : a->others < QUEUE_OTHERS_MAX;
	struct queued *q = room ? copy_of(row) : NULL;

	if (q == NULL) {
		tally_add_n(TALLY_AUDIT_DROPPED, (uint64_t)(row->count != 0 ? row->count : 1));
		return;
	}
	if (q->row.at_ms == 0)
		q->row.at_ms = clock_unix_ms();
	if (q->row.count == 0)
		q->row.count = 1;
	*a->last = q;
	a->last = &q->next;
	++*count_of(a, q);
	a->put_us = clock_mono_us();
	submit(a);
}

void audit_count_refusal(struct audit *a, const char *event, const char *code, int64_t count)
{
	audit_limit_sum(&a->limit, event, code, count);
}

void audit_put_refusal(struct audit *a, const struct audit_row *row)
{
	if (audit_limit_take(&a->limit, clock_mono_us()))
		audit_put(a, row);
	else
		audit_count_refusal(a, row->event, row->code, row->count != 0 ? row->count : 1);
}

static void on_sums(void *arg)
{
	struct audit *a = arg;

	for (size_t i = 0; i < a->limit.sums_len; i++) {
		struct audit_sum *sum = &a->limit.sums[i];
		const struct audit_row row = {.event = sum->event,
					      .code = sum->code,
					      .count = sum->count,
					      .detail = "{\"summed\":true}"};

		if (sum->count == 0)
			continue;
		audit_put(a, &row);
		sum->count = 0;
	}
}

size_t audit_queued(const struct audit *a)
{
	return a->seen + a->others;
}

/* ---- life -------------------------------------------------------------------------------- */

struct audit *audit_new(struct app *app, struct err *e)
{
	struct audit *a = calloc(1, sizeof(*a));

	if (a != NULL) {
		a->app = app;
		a->last = &a->first;
		a->retry = timer_new(app->loop, on_retry, a);
		a->sums = timer_new(app->loop, on_sums, a);
	}
	if (a == NULL || a->retry == NULL || a->sums == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		audit_free(a);
		return NULL;
	}
	timer_every(a->sums, SUMS_EVERY_MS);
	return a;
}

void audit_free(struct audit *a)
{
	if (a == NULL)
		return;
	if (a->seen + a->others > 0)
		log_warn("audit", "rows=%zu are not recorded", a->seen + a->others);
	free_list(a->first);
	free_list(a->batch);
	timer_free(a->retry);
	timer_free(a->sums);
	free(a);
}
