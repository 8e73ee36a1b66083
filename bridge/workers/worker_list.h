// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* worker_list.h - which workers a list shows: filters and paging, over roster and mirror alone.
 * Thread: loop. */
#pragma once

#include "bridge/events/cursor.h"
#include "bridge/http/http.h"
#include "bridge/workers/roster.h"

#define LIST_LIMIT_MAX 1000

struct worker_list {
	const struct request *rq;
	/* Where the filter stands: the nth value of that name, NULL past the last. */
	const char *(*value)(const struct worker_list *list, const char *name, size_t n);
	struct json_object *filter;        /* of a body; NULL: it is the query */
	char *name;                        /* lowercase; NULL: any. Owned */
	int connected;                     /* -1: any, 0, 1 */
	unsigned statuses;                 /* 1u << status */
	const char *tags[WORKER_TAGS_MAX]; /* it has all of them; the filter's */
	size_t tags_len;
	int64_t limit; /* 0: all */
	bool hears;    /* the mirror, now */

	/* Where it stands: in the roster's order, or among the ids that were asked for. */
	struct record **picked; /* owned; NULL: the whole roster */
	size_t picked_len;
	size_t next;
	int64_t shown;
	const struct record *last_shown;
	struct page_cursor
		last; /* where the page began; once there is another one, where that does */
};

/* Reads the query. worker_list_fini() is fine after either outcome. */
enum err_code worker_list_begin(struct worker_list *list, const struct request *rq,
				struct err *e) MUST_CHECK;

/* The same for all workers that a filter in a request's body means: an object with the members
 * that the query has, an array where it may be there several times. Borrowed. */
enum err_code worker_list_begin_filter(struct worker_list *list, const struct request *rq,
				       struct json_object *filter, struct err *e) MUST_CHECK;
void worker_list_fini(struct worker_list *list);

/* The next worker; NULL at the end of the page. */
struct record *worker_list_next(struct worker_list *list);

/* The worker that stands so many places after the next one, whether or not the filters let it
 * through; NULL past the end. */
const struct record *worker_list_ahead(const struct worker_list *list, size_t places);

/* Its connection, as the mirror knows it now. Borrowed until the loop's next turn. */
const struct presence *worker_list_presence(const struct worker_list *list,
					    const struct record *record);

/* After the page: is there another one? Then list->last is its cursor. */
bool worker_list_has_more(struct worker_list *list);
