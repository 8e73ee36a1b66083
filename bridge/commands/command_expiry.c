// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/command_expiry.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/commands/command.h"
#include "bridge/commands/command_figures.h"
#include "bridge/db/db.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <stdlib.h>

#define LATEST_MS 60000 /* another bridge's may be due before those that are known here */
#define GAP_MS 10       /* those that expire together are expired together */
#define RETRY_MS 1000

struct command_expiry {
	struct app *app;
	struct timer *timer;
	int64_t due_ms; /* the timer's */
	bool running;

	/* The run's: its thread's until it is done. */
	struct commands_expired expired;
	int64_t next_ms; /* 0: none is open */
};

static void schedule(struct command_expiry *x, int64_t due_ms)
{
	const int64_t now_ms = clock_unix_ms();
	int64_t delay_ms = due_ms - now_ms;

	if (delay_ms < GAP_MS)
		delay_ms = GAP_MS;
	if (delay_ms > LATEST_MS)
		delay_ms = LATEST_MS;
	x->due_ms = now_ms + delay_ms;
	timer_once(x->timer, delay_ms);
}

static enum err_code expire(struct db *db, void *arg, struct err *e)
{
	struct command_expiry *x = arg;

	if (store_command_expire(db, clock_unix_ms(), &x->expired, e) != ERR_OK)
		return e->code;
	return store_command_next_expiry(db, &x->next_ms, e);
}

void command_expiry_tell(struct app *app, const struct commands_expired *expired)
{
	for (size_t i = 0; i < expired->len; i++) {
		const struct command_expired *c = &expired->list[i];
		const struct command_standing standing = {.id = c->id,
							  .found = true,
							  .changed = true,
							  .state = COMMAND_EXPIRED,
							  .created_ms = c->created_ms};

		command_figures_stand(&standing);
		command_happened(app->commands, &c->worker, &standing);
	}
}

static void on_expired(void *arg, struct err *e)
{
	struct command_expiry *x = arg;
	const int64_t noted_ms = x->due_ms; /* 0: none was made during the run */
	int64_t next_ms;

	x->running = false;
	if (e->code != ERR_OK && e->code != ERR_DATABASE_UNAVAILABLE)
		log_error("command", "cannot expire commands: %s", e->msg);
	if (e->code != ERR_OK) {
		schedule(x, clock_unix_ms() + RETRY_MS);
		return;
	}
	command_expiry_tell(x->app, &x->expired);
	next_ms = x->next_ms != 0 ? x->next_ms : clock_unix_ms() + LATEST_MS;
	if (noted_ms != 0 && noted_ms < next_ms)
		next_ms = noted_ms;
	schedule(x, next_ms);
}

static void on_due(void *arg)
{
	struct command_expiry *x = arg;

	x->running = true;
	x->due_ms = 0;
	x->expired.len = 0;
	db_submit(x->app->db, expire, on_expired, x);
}

void command_expiry_note(struct command_expiry *x, int64_t expires_ms)
{
	if (x->due_ms != 0 && x->due_ms <= expires_ms)
		return;
	if (x->running)
		x->due_ms = expires_ms;
	else
		schedule(x, expires_ms);
}

struct command_expiry *command_expiry_new(struct app *app, struct err *e)
{
	struct command_expiry *x = calloc(1, sizeof(*x));

	if (x != NULL) {
		x->app = app;
		x->timer = timer_new(app->loop, on_due, x);
	}
	if (x == NULL || x->timer == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		command_expiry_free(x);
		return NULL;
	}
	schedule(x, 0);
	return x;
}

void command_expiry_free(struct command_expiry *x)
{
	if (x == NULL)
		return;
	timer_free(x->timer);
	free(x);
}
