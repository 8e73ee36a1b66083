// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/metrics/metric_follow.h"

#include "bridge/app.h"
#include "bridge/base/loop.h"
#include "bridge/db/db.h"
#include "bridge/store/store_metric_follow.h"
#include "protocol/log.h"

#include <stdlib.h>

#define PERIOD_MS 500

struct metric_follow {
	struct app *app;
	int64_t self;
	metric_news_f tell;
	void *arg;
	struct timer *timer;
	bool reading;
	/* Of the reading under way; its thread's until it is done. */
	struct metric_followed followed;
	struct metric_news news;
};

static enum err_code read_news(struct db *db, void *arg, struct err *e)
{
	struct metric_follow *f = arg;

	return store_metrics_follow(db, f->self, &f->followed, &f->news, e);
}

/* What was read before something went wrong is true all the same. */
static void news_read(void *arg, struct err *e)
{
	struct metric_follow *f = arg;

	f->reading = false;
	if (e->code != ERR_OK && e->code != ERR_DATABASE_UNAVAILABLE)
		log_error("metric", "cannot read what other bridges wrote: %s", e->msg);
	f->tell(f->arg, &f->news);
	metric_news_fini(&f->news);
}

static void on_timer(void *arg)
{
	struct metric_follow *f = arg;

	if (f->reading || !db_pool_healthy(f->app->db))
		return;
	f->reading = true;
	db_submit(f->app->db, read_news, news_read, f);
}

struct metric_follow *metric_follow_new(struct app *app, int64_t self, metric_news_f tell,
					void *arg, struct err *e)
{
	struct metric_follow *f = calloc(1, sizeof(*f));

	if (f != NULL) {
		*f = (struct metric_follow){.app = app, .self = self, .tell = tell, .arg = arg};
		f->timer = timer_new(app->loop, on_timer, f);
	}
	if (f == NULL || f->timer == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		metric_follow_free(f);
		return NULL;
	}
	timer_every(f->timer, PERIOD_MS);
	return f;
}

void metric_follow_free(struct metric_follow *f)
{
	if (f == NULL)
		return;
	timer_free(f->timer);
	metric_news_fini(&f->news);
	free(f);
}
