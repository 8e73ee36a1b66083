// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* mirror_list.h - all connection objects of the plugin, asked for page by page.
 *
 * One list at a time; what still comes of an earlier one is ignored. A page that fails is the
 * end of its list, and another one begins a little later, as long as there is a broker. Engine
 * statuses that the plugin remembers come along and go where they belong. Thread: loop.
 */
#pragma once

#include "protocol/presence.h"

struct app;
struct mirror_list;

/* Who takes what is listed. */
struct mirror_sink {
	/* A list begins: what is known goes, for all of it will be listed, or told since. */
	void (*begin)(void *arg);
	/* A page has come; the plugin was at that position when it made it. */
	void (*page)(void *arg, const char *node, struct presence_pos pos);
	/* One object of it. False: no room for it, so the list fails. */
	bool (*object)(void *arg, const struct presence *p);
	/* That was the last page. */
	void (*whole)(void *arg);
	void *arg;
};

struct mirror_list *mirror_list_new(struct app *app, const struct mirror_sink *sink,
				    struct err *e) MUST_CHECK;
void mirror_list_free(struct mirror_list *l); /* NULL is fine */

void mirror_list_start(
	struct mirror_list *l); /* from the first page, also if one is under way */
void mirror_list_stop(struct mirror_list *l);
bool mirror_list_running(const struct mirror_list *l);
