// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/workers/worker_list.h"

#include "bridge/app.h"
#include "bridge/presence/mirror.h"
#include "bridge/workers/worker_body.h"
#include "protocol/jread.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static enum err_code read_connected(struct worker_list *list, struct err *e)
{
	const char *text = list->value(list, "connected", 0);

	list->connected = -1;
	if (text == NULL)
		return ERR_OK;
	if (strcmp(text, "true") == 0)
		list->connected = 1;
	else if (strcmp(text, "false") == 0)
		list->connected = 0;
	else
		return err_set(e, ERR_INVALID_REQUEST, "connected: must be true or false");
	return ERR_OK;
}

static enum err_code read_statuses(struct worker_list *list, struct err *e)
{
	const char *text;

	for (size_t i = 0; (text = list->value(list, "status", i)) != NULL; i++) {
		unsigned s = WORKER_ACTIVE;

		while (s <= WORKER_REVOKED && strcmp(worker_status_name(s), text) != 0)
			s++;
		if (s > WORKER_REVOKED)
			return err_set(e, ERR_INVALID_REQUEST,
				       "status: must be active, update_required or revoked");
		list->statuses |= 1u << s;
	}
	if (list->statuses == 0)
		list->statuses = ~0u;
	return ERR_OK;
}

static enum err_code read_tags(struct worker_list *list, struct err *e)
{
	const char *tag;

	if (list->value(list, "tag", WORKER_TAGS_MAX) != NULL)
		return err_set(e, ERR_INVALID_REQUEST, "tag: no worker has more than %d",
			       WORKER_TAGS_MAX);
	while ((tag = list->value(list, "tag", list->tags_len)) != NULL) {
		if (!worker_tag_valid(tag))
			return err_set(e, ERR_INVALID_REQUEST, "tag: must have " TAG_FORM);
		list->tags[list->tags_len++] = tag;
	}
	return ERR_OK;
}

static enum err_code read_cursor(struct worker_list *list, struct err *e)
{
	const char *text = request_query(list->rq, "cursor");

	if (text == NULL)
		return ERR_OK;
	if (!page_cursor_parse(text, &list->last))
		return err_set(e, ERR_INVALID_REQUEST,
			       "cursor: is none that a list has given out");
	list->next = roster_after(list->rq->app->roster, list->last.created_ms, &list->last.id);
	return ERR_OK;
}

/* Upper and lower case are the same for the letters that have ASCII ones. */
static char *lowercase(const char *text)
{
	char *copy = strdup(text);

	for (char *c = copy; c != NULL && *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

static int by_age(const void *a, const void *b)
{
	const struct record *x = *(const struct record *const *)a;
	const struct record *y = *(const struct record *const *)b;

	/* qsort() gives elements of the array, and none is NULL. */
	if (x->created_ms != y->created_ms) // NOLINT(clang-analyzer-core.NullDereference)
		return x->created_ms < y->created_ms ? -1 : 1;
	return strcmp(x->id.text, y->id.text);
}

/* Ids that are asked for are looked up, rather than compared with every worker. */
static enum err_code pick_ids(struct worker_list *list, struct err *e)
{
	const struct roster *roster = list->rq->app->roster;
	struct worker_id id;
	const char *text;
	size_t n = 0, kept = 0;

	while (list->value(list, "id", n) != NULL)
		n++;
	if (n == 0)
		return ERR_OK;
	list->picked = calloc(n, sizeof(struct record *));
	if (list->picked == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	for (size_t i = 0; i < n; i++) {
		text = list->value(list, "id", i);
		if (!worker_id_parse(text, strlen(text), &id))
			return err_set(e, ERR_INVALID_REQUEST, "id: '%.64s' is not a worker id",
				       text);
		if ((list->picked[list->picked_len] = roster_find(roster, &id)) != NULL)
			list->picked_len++;
	}
	qsort(list->picked, list->picked_len, sizeof(struct record *), by_age);
	for (size_t i = 0; i < list->picked_len; i++)
		if (kept == 0 || list->picked[kept - 1] != list->picked[i])
			list->picked[kept++] = list->picked[i];
	list->picked_len = kept;
	return ERR_OK;
}

/* A page of picked ids goes on after the cursor, like any other. */
static void skip_picked(struct worker_list *list)
{
	struct record at = {.created_ms = list->last.created_ms, .id = list->last.id};
	struct record *key = &at;

	list->next = 0;
	if (list->last.id.text[0] == '\0')
		return;
	while (list->next < list->picked_len && by_age(&list->picked[list->next], &key) <= 0)
		list->next++;
}

static const char *query_value(const struct worker_list *list, const char *name, size_t n)
{
	return request_query_nth(list->rq, name, n);
}

static const char *filter_value(const struct worker_list *list, const char *name, size_t n)
{
	struct json_object *value = json_object_object_get(list->filter, name);

	if (!json_object_is_type(value, json_type_array))
		return n == 0 && value != NULL ? json_object_get_string(value) : NULL;
	return n < json_object_array_length(value)
		       ? json_object_get_string(json_object_array_get_idx(value, n))
		       : NULL;
}

/* What filters, wherever it stands. */
static enum err_code read_filter(struct worker_list *list, struct err *e)
{
	const char *name = list->value(list, "name", 0);

	if (read_connected(list, e) != ERR_OK || read_statuses(list, e) != ERR_OK ||
	    read_tags(list, e) != ERR_OK || pick_ids(list, e) != ERR_OK)
		return e->code;
	if (name != NULL && (list->name = lowercase(name)) == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	return ERR_OK;
}

static enum err_code begin(struct worker_list *list, const struct request *rq, struct err *e)
{
	*list = (struct worker_list){
		.rq = rq, .hears = mirror_hears(rq->app->mirror), .value = query_value};
	if (!roster_loaded(rq->app->roster))
		return err_set(e, ERR_DATABASE_UNAVAILABLE, NULL);
	return ERR_OK;
}

enum err_code worker_list_begin(struct worker_list *list, const struct request *rq,
				struct err *e)
{
	static const char *const names[] = {"connected", "status", "name",   "tag",
					    "id",        "limit",  "cursor", NULL};

	if (begin(list, rq, e) != ERR_OK || request_query_only(rq, names, e) != ERR_OK ||
	    read_filter(list, e) != ERR_OK || read_cursor(list, e) != ERR_OK ||
	    request_query_i64(rq, "limit", 0, 1, LIST_LIMIT_MAX, &list->limit, e) != ERR_OK)
		return e->code;
	if (list->picked != NULL)
		skip_picked(list);
	return ERR_OK;
}

/* Text, a truth value for "connected", or an array of texts where there may be several. An
 * empty one would mean everybody, and certainly was not meant to. */
static bool is_filter_value(const char *key, struct json_object *value)
{
	if (strcmp(key, "connected") == 0)
		return json_object_is_type(value, json_type_boolean);
	if (!json_object_is_type(value, json_type_array))
		return json_object_is_type(value, json_type_string);
	for (size_t i = 0; i < json_object_array_length(value); i++)
		if (!json_object_is_type(json_object_array_get_idx(value, i), json_type_string))
			return false;
	return strcmp(key, "name") != 0 && json_object_array_length(value) > 0;
}

static enum err_code check_filter(struct json_object *filter, struct err *e)
{
	static const char *const names[] = {"connected", "status", "name", "tag", "id", NULL};
	struct err inner = {0};
	struct jread r;

	jread_begin(&r, filter, &inner);
	jread_only(&r, names);
	if (jread_end(&r) != ERR_OK)
		return err_set(e, inner.code, "filter: %s", inner.msg);
	json_object_object_foreach(filter, key, value)
	{
		if (!is_filter_value(key, value))
			return err_set(e, ERR_INVALID_REQUEST, "filter: %s: must be %s", key,
				       strcmp(key, "connected") == 0 ? "true or false"
				       : strcmp(key, "name") == 0
					       ? "a text"
					       : "a text, or several in an array");
	}
	return ERR_OK;
}

enum err_code worker_list_begin_filter(struct worker_list *list, const struct request *rq,
				       struct json_object *filter, struct err *e)
{
	struct err inner = {0};

	if (begin(list, rq, e) != ERR_OK || check_filter(filter, e) != ERR_OK)
		return e->code;
	list->filter = filter;
	list->value = filter_value;
	/* "Everybody who is connected" must not come to mean nobody. */
	if (json_object_object_get(filter, "connected") != NULL && !list->hears)
		return err_set(e, ERR_BROKER_UNAVAILABLE, NULL);
	if (read_filter(list, &inner) != ERR_OK)
		return err_set(e, inner.code, "filter: %s", inner.msg);
	return ERR_OK;
}

void worker_list_fini(struct worker_list *list)
{
	free(list->picked);
	free(list->name);
}

static bool contains(const char *text, const char *lower)
{
	for (; *text != '\0' || *lower == '\0'; text++) {
		size_t i = 0;

		while (lower[i] != '\0' && (char)tolower((unsigned char)text[i]) == lower[i])
			i++;
		if (lower[i] == '\0')
			return true;
	}
	return false;
}

static bool has_tag(const struct record *record, const char *tag)
{
	for (size_t i = 0; i < record->tags_len; i++)
		if (strcmp(record->tags[i], tag) == 0)
			return true;
	return false;
}

static bool has_tags(const struct worker_list *list, const struct record *record)
{
	for (size_t i = 0; i < list->tags_len; i++)
		if (!has_tag(record, list->tags[i]))
			return false;
	return true;
}

const struct presence *worker_list_presence(const struct worker_list *list,
					    const struct record *record)
{
	static const struct presence never = {.state = PRESENCE_OFFLINE};
	static const struct presence unknown = {.state = PRESENCE_UNKNOWN};
	const struct presence *found;

	if (!list->hears)
		return &unknown;
	found = mirror_find(list->rq->app->mirror, &record->id);
	return found != NULL ? found : &never;
}

/* While the broker cannot be heard nobody is known to be connected, nor not to be. */
static bool fits_connected(const struct worker_list *list, const struct record *record)
{
	if (list->connected < 0)
		return true;
	return list->hears && (worker_list_presence(list, record)->state == PRESENCE_ONLINE) ==
				      (list->connected == 1);
}

static bool fits(const struct worker_list *list, const struct record *record)
{
	return (list->statuses & 1u << record->status) != 0 && fits_connected(list, record) &&
	       (list->name == NULL || contains(record->name, list->name)) &&
	       has_tags(list, record);
}

/* NULL past the end. */
static struct record *candidate(const struct worker_list *list, size_t i)
{
	const struct roster *roster = list->rq->app->roster;

	if (list->picked != NULL)
		return i < list->picked_len ? list->picked[i] : NULL;
	return i < roster_len(roster) ? roster_at(roster, i) : NULL;
}

const struct record *worker_list_ahead(const struct worker_list *list, size_t places)
{
	return candidate(list, list->next + places);
}

static struct record *advance(struct worker_list *list)
{
	struct record *record;

	while ((record = candidate(list, list->next)) != NULL) {
		list->next++;
		if (fits(list, record))
			return record;
	}
	return NULL;
}

struct record *worker_list_next(struct worker_list *list)
{
	struct record *record;

	if (list->limit > 0 && list->shown == list->limit)
		return NULL;
	record = advance(list);
	if (record != NULL) {
		list->shown++;
		list->last_shown = record;
	}
	return record;
}

bool worker_list_has_more(struct worker_list *list)
{
	if (list->limit == 0 || list->shown < list->limit || advance(list) == NULL)
		return false;
	list->last = (struct page_cursor){list->last_shown->created_ms, list->last_shown->id};
	return true;
}
