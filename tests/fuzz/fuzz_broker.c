// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* What the bridge reads from the broker: presence events, entries of the directory, heartbeats.
 * What is taken is written and read again as the same. */
#include "bridge/presence/heartbeat.h"
#include "bridge/workers/directory_entry.h"
#include "protocol/presence_scan.h"
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

/* What the quick reader takes of a batch, jread reads in the same way. */
static void check_scan(const char *text, size_t len, struct json_object *doc)
{
	struct presence_scan s;
	struct presence event, again;
	struct json_object *list;
	struct err e = {0};
	struct jread r;
	enum scanned scanned;
	size_t n = 0;

	if (!presence_scan_begin(&s, text, len))
		return;
	jread_begin(&r, doc, &e);
	list = doc != NULL ? jread_array(&r, "events", 0, SIZE_MAX) : NULL;
	while ((scanned = presence_scan_next(&s, &event)) == SCANNED_EVENT) {
		check_id(&event.worker);
		if (list == NULL) /* something behind it is wrong */
			continue;
		jread_begin_at(&r, json_object_array_get_idx(list, n), &e, "events", n);
		presence_read(&r, &again);
		must(jread_end(&r) == ERR_OK && same_event(&event, &again));
		must(strcmp(event.detail, again.detail) == 0 &&
		     strcmp(event.address, again.address) == 0);
		n++;
	}
	must(scanned == SCANNED_ODD || (list != NULL && n == json_object_array_length(list)));
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
	check_scan(text, len, doc);
	json_object_put(doc);
	return 0;
}
