// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/audit/presence_log.h"

#include "bridge/app.h"
#include "bridge/audit/audit.h"
#include "bridge/base/tally.h"
#include "protocol/clock.h"
#include "protocol/htab.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_PER_HOUR 240
#define HOUR_MS (3600 * INT64_C(1000))
#define DAY_MS (24 * HOUR_MS)
#define DETAIL_MAX 2048

/* What was noted last of a worker. */
struct noted {
	struct worker_id worker;
	bool connected;
	enum presence_reason reason;
	struct presence_pos pos;
	int64_t since_ms;
	int64_t hour; /* number of the hour that `rows` counts in */
	int rows;
	int64_t left_out;
};

struct presence_log {
	struct app *app;
	struct htab workers; /* struct noted by worker id */
};

static uint64_t hash_noted(const void *item)
{
	return htab_hash_str(((const struct noted *)item)->worker.text);
}

static bool is_worker(const void *item, const void *id)
{
	return worker_id_equal(&((const struct noted *)item)->worker, id);
}

static struct noted *get(struct presence_log *l, const struct worker_id *id)
{
	struct noted *n = htab_find(&l->workers, htab_hash_str(id->text), is_worker, id);

	if (n != NULL)
		return n;
	n = calloc(1, sizeof(*n));
	if (n == NULL)
		return NULL;
	n->worker = *id;
	if (htab_add(&l->workers, n))
		return n;
	free(n);
	return NULL;
}

/* ---- the row ----------------------------------------------------------------------------- */

/* The same at every bridge, since the moment is the plugin's. */
static void seen_of(const struct presence *p, bool connected, int64_t since_ms,
		    char out[AUDIT_SEEN_LEN + 1])
{
	unsigned char hash[AUDIT_SEEN_LEN / 2];
	char text[WORKER_ID_MAX + 64];

	snprintf(text, sizeof(text), "%s %d %" PRId64, p->worker.text, connected, since_ms);
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)text, strlen(text), NULL,
			   0);
	sodium_bin2hex(out, AUDIT_SEEN_LEN + 1, hash, sizeof(hash));
}

static void write_detail(struct buf *out, const char *node, const struct presence *p)
{
	struct jwrite w;

	jwrite_begin(&w, out);
	jwrite_object(&w, NULL);
	jwrite_str(&w, "reason", presence_reason_name(p->reason));
	jwrite_str(&w, "detail", p->detail[0] != '\0' ? p->detail : NULL);
	jwrite_str(&w, "node", node[0] != '\0' ? node : NULL);
	jwrite_i64(&w, "generation", p->generation);
	jwrite_object_end(&w);
}

static void put(struct presence_log *l, const char *node, const struct presence *p,
		const struct noted *n, int64_t count)
{
	char seen[AUDIT_SEEN_LEN + 1];
	struct audit_row row = {
		.worker_id = p->worker.text,
		.event = n->connected ? "connected" : "disconnected",
		.address = p->address[0] != '\0' ? p->address : NULL,
		.at_ms = n->since_ms,
		.count = count,
		.seen = seen,
	};
	struct buf detail;

	seen_of(p, n->connected, n->since_ms, seen);
	buf_init(&detail, DETAIL_MAX);
	write_detail(&detail, node, p);
	row.detail = detail.failed ? NULL : detail.data;
	audit_put(l->app->audit, &row);
	buf_fini(&detail);
}

/* False: this worker has had its rows for this hour. */
static bool may_write(struct noted *n)
{
	const int64_t hour = clock_unix_ms() / HOUR_MS;

	if (n->hour != hour) {
		n->hour = hour;
		n->rows = 0;
	}
	if (n->rows >= ROWS_PER_HOUR) {
		n->left_out++;
		return false;
	}
	n->rows++;
	return true;
}

/* ---- what is new ------------------------------------------------------------------------- */

/* A will that came after the end says more about it; nothing else rewrites the reason. */
static bool refines(const struct noted *n, const struct presence *p)
{
	return !n->connected && p->reason == REASON_CONNECTION_LOST && n->reason != p->reason;
}

static void forget(struct presence_log *l, struct noted *n)
{
	htab_remove(&l->workers, n);
	free(n);
}

static void note(struct presence_log *l, struct noted *n, const char *node,
		 const struct presence *p, int64_t since_ms)
{
	const bool connected = p->state == PRESENCE_ONLINE;
	const bool same = n->connected == connected && n->since_ms == since_ms;

	if ((same && !refines(n, p)) ||
	    (n->since_ms != 0 && !presence_pos_after(p->pos, n->pos)))
		return;
	n->connected = connected;
	n->reason = p->reason;
	n->since_ms = since_ms;
	n->pos = p->pos;
	if (!may_write(n))
		return;
	put(l, node, p, n, n->left_out + 1);
	n->left_out = 0;
}

void presence_log_note(struct presence_log *l, const char *node, const struct presence *p)
{
	const int64_t since_ms =
		p->state == PRESENCE_ONLINE ? p->connected_since_ms : p->disconnected_since_ms;
	const int64_t oldest_ms = clock_unix_ms() - l->app->config.audit_days * DAY_MS;
	struct noted *n;

	/* Never connected, or so long ago that nobody keeps it. */
	if (p->state == PRESENCE_UNKNOWN || since_ms <= 0 || since_ms < oldest_ms)
		return;
	n = get(l, &p->worker);
	if (n == NULL) {
		tally_add(TALLY_AUDIT_DROPPED);
		return;
	}
	note(l, n, node, p, since_ms);
	if (p->reason == REASON_DELETED)
		forget(l, n);
}

struct presence_log *presence_log_new(struct app *app, struct err *e)
{
	struct presence_log *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	l->app = app;
	htab_init(&l->workers, hash_noted);
	return l;
}

void presence_log_free(struct presence_log *l)
{
	struct noted *n;
	size_t pos = 0;

	if (l == NULL)
		return;
	while ((n = htab_next(&l->workers, &pos)) != NULL)
		free(n);
	htab_fini(&l->workers);
	free(l);
}
