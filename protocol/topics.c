// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/topics.h"

#include "protocol/util.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	bool publish, subscribe;
} rows[] = {
#define X(name, part, pub, sub) {part, pub, sub},
	WORKER_TOPIC_LIST(X)
#undef X
};

const char *worker_topic_name(enum worker_topic topic)
{
	return topic < ARRAY_LEN(rows) ? rows[topic].name : NULL;
}

bool worker_may_publish(enum worker_topic topic)
{
	return topic < ARRAY_LEN(rows) ? rows[topic].publish : topic == WORKER_TOPIC_APP;
}

bool worker_may_subscribe(enum worker_topic topic)
{
	return topic < ARRAY_LEN(rows) ? rows[topic].subscribe : topic == WORKER_TOPIC_APP;
}

bool topic_root_valid(const char *root)
{
	size_t len = strlen(root);

	return len >= 1 && len <= TOPIC_ROOT_MAX && strpbrk(root, "+#") == NULL &&
	       root[0] != '$' && root[0] != '/' && root[len - 1] != '/' &&
	       strcmp(root, "rollcall") != 0 && strncmp(root, "rollcall/", 9) != 0;
}

void topic_of_worker(const char *root, const struct worker_id *id, enum worker_topic topic,
		     char out[TOPIC_MAX])
{
	const char *const parts[] = {root, "/", id->text, "/", worker_topic_name(topic)};
	size_t len = 0;

	/* Not by snprintf(): this is done for every event. They fit, see TOPIC_MAX. */
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		size_t n = strlen(parts[i]);

		memcpy(out + len, parts[i], n);
		len += n;
	}
	out[len] = '\0';
}

const char *topic_without_share(const char *filter)
{
	const char *slash;

	if (strncmp(filter, "$share/", 7) != 0)
		return filter;
	slash = strchr(filter + 7, '/');
	return slash != NULL ? slash + 1 : filter;
}

void topic_filter_all(const char *root, enum worker_topic topic, char out[TOPIC_MAX])
{
	snprintf(out, TOPIC_MAX, "%s/+/%s", root, worker_topic_name(topic));
}

bool topic_filters_meet(const char *a, const char *b)
{
	for (;;) {
		size_t a_len = strcspn(a, "/"), b_len = strcspn(b, "/");

		if (a[0] == '#' || b[0] == '#')
			return true;
		if (a[0] != '+' && b[0] != '+' && (a_len != b_len || memcmp(a, b, a_len) != 0))
			return false;
		a += a_len;
		b += b_len;
		/* "a/#" matches "a", too. */
		if (*a == '\0' || *b == '\0')
			return *a == *b || strcmp(a, "/#") == 0 || strcmp(b, "/#") == 0;
		a++;
		b++;
	}
}

static enum worker_topic kind_of(const char *rest)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rest[0] == rows[i].name[0] && strcmp(rest, rows[i].name) == 0)
			return (enum worker_topic)i;
	return strncmp(rest, "app/", 4) == 0 || strcmp(rest, "app") == 0 ? WORKER_TOPIC_APP
									 : WORKER_TOPIC_OTHER;
}

/* What follows "{root}/"; NULL if it does not begin so. */
static const char *below_root(const char *root, const char *topic)
{
	size_t len = strlen(root);

	return strncmp(topic, root, len) == 0 && topic[len] == '/' ? topic + len + 1 : NULL;
}

bool topic_match_own(const char *root, const char *topic, const struct worker_id *id,
		     enum worker_topic *kind)
{
	const char *level = below_root(root, topic);
	size_t len = strlen(id->text);

	if (level == NULL || strncmp(level, id->text, len) != 0 ||
	    (level[len] != '/' && level[len] != '\0'))
		return false;
	*kind = level[len] == '/' ? kind_of(level + len + 1) : WORKER_TOPIC_OTHER;
	return true;
}

bool topic_match_worker(const char *root, const char *topic, struct worker_id *id,
			enum worker_topic *kind)
{
	const char *level = below_root(root, topic), *slash;

	if (level == NULL)
		return false;
	slash = strchr(level, '/');
	if (!worker_id_parse(level, slash != NULL ? (size_t)(slash - level) : strlen(level),
			     id))
		id->text[0] = '\0';
	*kind = slash != NULL ? kind_of(slash + 1) : WORKER_TOPIC_OTHER;
	return true;
}
