// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Page by page, and never more than one page in memory: tombstones are kept for ever, so an old
 * installation has many more of them than workers. */
#include "bridge/workers/directory_tombstones.h"

#include "bridge/app.h"
#include "bridge/db/db.h"
#include "bridge/mqtt/control.h"
#include "bridge/store/store_directory.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 500 /* as many as deleteWorkers takes */
#define ENTRY_BYTES 256
#define TIMEOUT_MS 5000

struct burial {
	struct app *app;
	char epoch[EPOCH_MAX + 1];
	struct worker_id after; /* the last one sent; "" at first */
	struct directory_snapshot page;
	void (*done)(void *arg, struct err *e);
	void *arg;
};

static void read_page(struct burial *b);

static void finish(struct burial *b, struct err *e)
{
	b->done(b->arg, e);
	directory_snapshot_fini(&b->page);
	free(b);
}

static void on_sent(void *arg, struct json_object *data, struct err *e)
{
	struct burial *b = arg;

	if (data == NULL || b->page.len < PAGE)
		finish(b, e);
	else
		read_page(b);
}

static void send_page(struct burial *b)
{
	struct buf fields;
	struct jwrite w;

	buf_init(&fields, (size_t)PAGE * ENTRY_BYTES);
	jwrite_begin(&w, &fields);
	jwrite_array(&w, "workers");
	for (size_t i = 0; i < b->page.len; i++)
		directory_entry_write(&w, &b->page.entries[i], b->epoch);
	jwrite_array_end(&w);
	control_call(b->app->control, "deleteWorkers", &fields, TIMEOUT_MS, on_sent, b);
	buf_fini(&fields);
}

static enum err_code read_work(struct db *db, void *arg, struct err *e)
{
	struct burial *b = arg;

	return store_directory_tombstones(db, &b->after, PAGE, &b->page, e);
}

static void on_read(void *arg, struct err *e)
{
	struct burial *b = arg;

	if (e->code != ERR_OK || b->page.len == 0) {
		finish(b, e);
		return;
	}
	b->after = b->page.entries[b->page.len - 1].worker;
	send_page(b);
}

static void read_page(struct burial *b)
{
	db_submit(b->app->db, read_work, on_read, b);
}

void directory_send_tombstones(struct app *app, const char *epoch,
			       void (*done)(void *arg, struct err *e), void *arg)
{
	struct burial *b = calloc(1, sizeof(*b));
	struct err e = {0};

	if (b == NULL) {
		err_set(&e, ERR_OUT_OF_MEMORY, NULL);
		done(arg, &e);
		return;
	}
	b->app = app;
	b->done = done;
	b->arg = arg;
	snprintf(b->epoch, sizeof(b->epoch), "%s", epoch);
	read_page(b);
}
