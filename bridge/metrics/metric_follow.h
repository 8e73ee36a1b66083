// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric_follow.h - latest values of reports that another bridge has taken: read from the
 * database, twice a second, since that is where all bridges meet. Thread: loop. */
#pragma once

#include "bridge/metrics/metric_news.h"
#include "protocol/err.h"

struct app;
struct metric_follow;

typedef void (*metric_news_f)(void *arg, const struct metric_news *news);

/* `self`: this bridge's number, whose reports are known already. */
struct metric_follow *metric_follow_new(struct app *app, int64_t self, metric_news_f news,
					void *arg, struct err *e) MUST_CHECK;
void metric_follow_free(struct metric_follow *f); /* NULL is fine */
