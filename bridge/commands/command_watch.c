// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/commands/command_watch.h"

#include "bridge/base/loop.h"
#include "protocol/clock.h"
#include "protocol/htab.h"

#include <stdlib.h>
#include <string.h>

#define WATCH_MS 20 /* how exactly a deadline is kept */

struct command_watch {
	struct command_id id;
	int64_t deadline_us;
	command_done_f done;
	void *arg;
	struct command_watch *next; /* while its deadline is being told */
};

struct command_watches {
	struct htab by_command; /* a command may have several */
	struct timer *deadlines;
};

static uint64_t hash_watch(const void *item)
{
	return htab_hash_str(((const struct command_watch *)item)->id.text);
}

static bool is_command(const void *item, const void *id)
{
	return strcmp(((const struct command_watch *)item)->id.text, id) == 0;
}

static void take_out(struct command_watches *w, struct command_watch *watch)
{
	htab_remove(&w->by_command, watch);
	if (w->by_command.len == 0)
		timer_cancel(w->deadlines);
}

struct command_watch *command_watch_add(struct command_watches *w, const struct command_id *id,
					int64_t timeout_ms, command_done_f done, void *arg)
{
	struct command_watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return NULL;
	*watch = (struct command_watch){.id = *id,
					.deadline_us = clock_mono_us() + timeout_ms * 1000,
					.done = done,
					.arg = arg};
	if (!htab_add(&w->by_command, watch)) {
		free(watch);
		return NULL;
	}
	if (w->by_command.len == 1)
		timer_every(w->deadlines, WATCH_MS);
	return watch;
}

bool command_watch_is_on(const struct command_watches *w, const struct command_id *id)
{
	return htab_find(&w->by_command, htab_hash_str(id->text), is_command, id->text) != NULL;
}

void command_watch_end(struct command_watches *w, struct command_watch *watch)
{
	take_out(w, watch);
	free(watch);
}

void command_watch_tell(struct command_watches *w, const struct command_id *id,
			const struct command_standing *standing)
{
	const uint64_t hash = htab_hash_str(id->text);
	struct command_watch *watch;

	while ((watch = htab_find(&w->by_command, hash, is_command, id->text)) != NULL) {
		take_out(w, watch);
		watch->done(watch->arg, standing);
		free(watch);
	}
}

static void on_deadlines(void *arg)
{
	struct command_watches *w = arg;
	struct command_watch *watch, *late = NULL;
	int64_t now_us = clock_mono_us();
	size_t pos = 0;

	while ((watch = htab_next(&w->by_command, &pos)) != NULL)
		if (now_us >= watch->deadline_us) {
			watch->next = late;
			late = watch;
		}
	for (watch = late; watch != NULL; watch = watch->next)
		take_out(w, watch);
	while ((watch = late) != NULL) {
		late = watch->next;
		watch->done(watch->arg, NULL);
		free(watch);
	}
}

struct command_watches *command_watches_new(struct loop *loop, struct err *e)
{
	struct command_watches *w = calloc(1, sizeof(*w));

	if (w != NULL) {
		htab_init(&w->by_command, hash_watch);
		w->deadlines = timer_new(loop, on_deadlines, w);
	}
	if (w == NULL || w->deadlines == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		command_watches_free(w);
		return NULL;
	}
	return w;
}

void command_watches_free(struct command_watches *w)
{
	struct command_watch *watch;
	size_t pos = 0;

	if (w == NULL)
		return;
	while ((watch = htab_next(&w->by_command, &pos)) != NULL) {
		watch->done(watch->arg, NULL);
		free(watch);
	}
	htab_fini(&w->by_command);
	timer_free(w->deadlines);
	free(w);
}
