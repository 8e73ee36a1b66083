// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* options.c - one table row an option; docs/reference/plugin-options.md describes the same rows
 * and tests/lint/options.sh compares the two. */
#include "plugin/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, NUMBER, BOOL };

static const struct row {
	const char *name;
	enum kind kind;
	size_t offset, size; /* of the field; size for TEXT */
	const char *otherwise;
	int64_t min, max;
} rows[] = {
#define FIELD(f) offsetof(struct options, f), sizeof(((struct options *)0)->f)
	{"storage_path",             TEXT,   FIELD(storage_path),             "/var/lib/mosquitto/rollcall", 0, 0      },
	{"node_id",                  TEXT,   FIELD(node_id),                  "",                            0, 0      },
	{"control_users",            TEXT,   FIELD(control_users),            "rollcall-bridge",             0, 0      },
	{"topic_root",               TEXT,   FIELD(topic_root),               TOPIC_ROOT_DEFAULT,            0, 0      },
	{"transports",               TEXT,   FIELD(transports_text),          "any",                         0, 0      },
	{"hibernate_after",          NUMBER, FIELD(hibernate_after),          "10",                          0, 86400  },
	{"reconnect_grace_ms",       NUMBER, FIELD(reconnect_grace_ms),       "3000",                        0, 3600000},
	{"max_worker_keepalive",     NUMBER, FIELD(max_worker_keepalive),     "120",                         1, 65535  },
	{"max_sessions_per_worker",  NUMBER, FIELD(max_sessions_per_worker),  "8",                           1, 1000   },
	{"auth_failures_per_minute", NUMBER, FIELD(auth_failures_per_minute), "120",                         0,
										      1000000												       },
	{"connects_per_minute",      NUMBER, FIELD(connects_per_minute),      "300",                         0, 1000000},
	{"publishes_per_second",     NUMBER, FIELD(publishes_per_second),     "1000",                        0, 1000000},
	{"flush_interval_ms",        NUMBER, FIELD(flush_interval_ms),        "20",                          0, 60000  },
	{"storage_size_mib",         NUMBER, FIELD(storage_size_mib),         "1024",                        1, 1048576},
	{"retain_presence",          BOOL,   FIELD(retain_presence),          "true",                        0, 0      },
	{"app_retain",               BOOL,   FIELD(app_retain),               "false",                       0, 0      },
#undef FIELD
};

static enum err_code set_text(const struct row *row, char *field, const char *value,
			      struct err *e)
{
	if (strlen(value) >= row->size)
		return err_set(e, ERR_INVALID_REQUEST,
			       "plugin_opt_%s: longer than %zu characters", row->name,
			       row->size - 1);
	memcpy(field, value, strlen(value) + 1);
	return ERR_OK;
}

static enum err_code set_number(const struct row *row, void *field, const char *value,
				struct err *e)
{
	char *end;
	int64_t n;

	errno = 0;
	n = strtoll(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || n < row->min || n > row->max)
		return err_set(e, ERR_INVALID_REQUEST,
			       "plugin_opt_%s: '%.40s' is not a number from %" PRId64
			       " to %" PRId64,
			       row->name, value, row->min, row->max);
	*(int64_t *)field = n;
	return ERR_OK;
}

static enum err_code set_bool(const struct row *row, void *field, const char *value,
			      struct err *e)
{
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return err_set(e, ERR_INVALID_REQUEST, "plugin_opt_%s: must be true or false",
			       row->name);
	*(bool *)field = value[0] == 't';
	return ERR_OK;
}

static enum err_code set_row(struct options *out, const struct row *row, const char *value,
			     struct err *e)
{
	char *field = (char *)out + row->offset;

	switch (row->kind) {
	case TEXT:
		return set_text(row, field, value, e);
	case NUMBER:
		return set_number(row, field, value, e);
	case BOOL:
		break;
	}
	return set_bool(row, field, value, e);
}

static const struct row *find_row(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* What a row alone cannot check. */
static enum err_code check(struct options *out, struct err *e)
{
	if (out->storage_path[0] == '\0')
		return err_set(e, ERR_INVALID_REQUEST,
			       "plugin_opt_storage_path: must not be empty");
	if (!topic_root_valid(out->topic_root))
		return err_set(e, ERR_INVALID_REQUEST,
			       "plugin_opt_topic_root: must be plain topic levels, not under "
			       "rollcall/");
	if (strcmp(out->transports_text, "any") == 0)
		out->transports = TRANSPORTS_ANY;
	else if (strcmp(out->transports_text, "websockets") == 0)
		out->transports = TRANSPORTS_WEBSOCKETS;
	else
		return err_set(e, ERR_INVALID_REQUEST,
			       "plugin_opt_transports: must be any or websockets");
	return ERR_OK;
}

enum err_code options_parse(struct options *out, const char *const names[],
			    const char *const values[], int count, struct err *e)
{
	*out = (struct options){0};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (set_row(out, &rows[i], rows[i].otherwise, e) != ERR_OK)
			return e->code;
	for (int i = 0; i < count; i++) {
		const struct row *row = find_row(names[i]);

		if (row == NULL)
			return err_set(e, ERR_INVALID_REQUEST, "plugin_opt_%s: no such option",
				       names[i]);
		if (set_row(out, row, values[i], e) != ERR_OK)
			return e->code;
	}
	return check(out, e);
}

bool options_is_control_user(const struct options *opt, const char *user)
{
	size_t len = strlen(user);

	for (const char *at = opt->control_users; len > 0 && *at != '\0';) {
		size_t n = strcspn(at, ",");

		if (n == len && memcmp(at, user, n) == 0)
			return true;
		at += n + (at[n] == ',');
	}
	return false;
}
