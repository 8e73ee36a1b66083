// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* What the bridge reads from the broker: presence events, entries of the directory, heartbeats.
 * What is taken is written and read again as the same. */
#include "bridge/presence/heartbeat.h"
#include "bridge/workers/directory_entry.h"
#include "protocol/presence.h"
#include "tests/fuzz/reread.h"

static void check_id(const struct worker_id *id)
{
	struct worker_id parsed;

	must(worker_id_parse(id->text, strlen(id->text), &parsed));
}

/* A detail that was cut may end within a character, which is not written. */
static bool same_event(const struct presence *a, const struct presence *b)
{
	return worker_id_equal(&a->worker, &b->worker) && a->state == b->state &&
	       a->reason == b->reason && a->sessions == b->sessions &&
	       a->pos.boot == b->pos.boot && a->pos.seq == b->pos.seq &&
	       a->generation == b->generation && a->at_ms == b->at_ms &&
	       a->connected_since_ms == b->connected_since_ms &&
	       a->disconnected_since_ms == b->disconnected_since_ms;
}

static void check_presence(struct json_object *doc)
{
	struct presence event, again;
	struct err e = {0};
	struct jwrite w;
	struct jread r;
	struct buf out;

	jread_begin(&r, doc, &e);
	presence_read(&r, &event);
	if (jread_end(&r) != ERR_OK)
		return;
	check_id(&event.worker);
	must(event.sessions >= 0 && event.pos.boot >= 0 && event.pos.seq >= 0);
	buf_init(&out, REREAD_TEXT_MAX);
	jwrite_begin(&w, &out);
	presence_write(&w, NULL, &event, "node");
	doc = reread(&out);
	jread_begin(&r, doc, &e);
	presence_read(&r, &again);
	must(jread_end(&r) == ERR_OK && same_event(&event, &again));
	json_object_put(doc);
}

static void check_entry(struct json_object *doc)
{
	struct directory_entry entry, again;
	struct err e = {0};
	struct jwrite w;
	struct buf out;

	if (directory_entry_read(doc, 3, &entry, &e) != ERR_OK)
		return;
	check_id(&entry.worker);
	must(entry.tokens_len <= DIRECTORY_TOKENS_MAX && entry.n >= 0);
	if (entry.deleted)
		return;
	buf_init(&out, REREAD_TEXT_MAX);
	jwrite_begin(&w, &out);
	directory_entry_write(&w, &entry, "epoch");
	doc = reread(&out);
	must(directory_entry_read(doc, 0, &again, &e) == ERR_OK && again.n == entry.n);
	must(again.tokens_len == entry.tokens_len);
	json_object_put(doc);
}

FUZZ_NEEDS_NOTHING_BEFORE

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	struct err e = {0};
	struct json_object *doc = jread_parse(text, len, &e);
	struct heartbeat beat;

	(void)(heartbeat_parse(text, len, &beat, &e) == ERR_OK);
	check_presence(doc);
	check_entry(doc);
	json_object_put(doc);
	return 0;
}
