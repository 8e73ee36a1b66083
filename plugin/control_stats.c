// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* control_stats.c - getStats: what stats.h counts, and what is read where it is kept, in a form
 * so regular that a bridge can hand on numbers that it has never heard of. */
#include "plugin/control.h"

#include "plugin/admit.h"
#include "plugin/hibernate.h"
#include "plugin/stats.h"
#include "protocol/clock.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define VALUE_MAX 64
#define FIRST_EXPONENT 9 /* of a histogram's bounds: 512 ns */

/* ---- the values of labels ---- */

static const char *result_name(unsigned value)
{
	return value == ADMITTED ? "accepted" : refusal_name((enum refusal)value);
}

static const char *reason_name(unsigned value)
{
	return presence_reason_name((enum presence_reason)value);
}

static const char *state_name(unsigned value)
{
	return presence_state_name((enum presence_state)value);
}

static const char *rule_name(unsigned value)
{
	static const char *const names[] = {
#define X(id, name) name,
		DENY_RULES_LIST(X)
#undef X
	};

	return names[value];
}

static const char *limit_name(unsigned value)
{
	static const char *const names[] = {
#define X(id, name) name,
		STAT_LIMITS_LIST(X)
#undef X
	};

	return names[value];
}

static const char *transport_name(unsigned value)
{
	return value == 0 ? "tcp" : "websockets";
}

static const char *error_name(unsigned value)
{
	return err_name((enum err_code)value);
}

/* In the order of enum stat_family. */
static const struct values {
	unsigned first, end;
	const char *(*name)(unsigned value);
	bool seldom; /* those that never occurred are left out */
} values_of[STAT_FAMILIES] = {
	{ADMITTED,        REFUSALS,         result_name,          false},
	{REASON_NONE + 1, PRESENCE_REASONS, reason_name,          false},
	{0,	       PRESENCE_UNKNOWN, state_name,           false},
	{0,	       DENY_RULES,       rule_name,            false},
	{0,	       STAT_LIMITS,      limit_name,           false},
	{0,	       CONTROL_COMMANDS, control_command_name, false},
	{ERR_OK + 1,      ERR_CODES,        error_name,           true },
	{0,	       PRESENCE_UNKNOWN, state_name,           false},
	{0,	       2,		transport_name,       false},
};

static_assert((unsigned)ERR_CODES <= STATS_LABELS_MAX && (unsigned)REFUSALS <= STATS_LABELS_MAX,
	      "a family has no room for all values of its label");

/* ---- what is read where it is kept: X(name, expression, help) ---- */

struct readings {
	const struct control *control;
	const struct connset *conns;
	struct store_status store;
	struct hibernate_stats objects;
};

#define READ_COUNTERS(X)                                                                       \
	X(hibernations, r->objects.slept, "Objects that were hibernated")                      \
	X(hibernation_failures, r->objects.write_failures, "Objects that could not be")        \
	X(wake_failures, r->objects.read_failures, "Objects that could not be woken")

#define READ_GAUGES(X)                                                                         \
	X(directory_workers, r->control->directory->live, "Workers in the directory")          \
	X(control_clients, r->control->clients.len, "Clients that may give commands")          \
	X(objects_awake, r->objects.conns_awake, "Objects in memory")                          \
	X(objects_hibernated, r->objects.conns_asleep, "Objects of which memory has a stub")   \
	X(object_bytes, r->objects.awake_bytes, "Memory of objects that are awake")            \
	X(object_stub_bytes, r->objects.stub_bytes, "Memory of stubs and tables of all")       \
	X(storage_pending_records, r->store.pending, "Records that are not durable yet")       \
	X(storage_pending_bytes, r->store.pending_bytes, "Memory that they take")              \
	X(storage_journal_bytes, r->store.journal_bytes, "Size of the journal")                \
	X(storage_used_bytes, r->store.used_bytes, "Size of the database")                     \
	X(storage_limit_bytes, r->control->options->storage_size_mib << 20, "Its ceiling")

#define READ_HISTOGRAMS(X)                                                                     \
	X(wake_duration_seconds, &r->conns->hibernation.wakes, "Time to wake an object")

/* ---- writing ---- */

/* Codes are spelled in small letters here; the names of commands are left as they are. */
static void write_value(struct jwrite *w, const char *name, int64_t value)
{
	bool is_code = isupper((unsigned char)name[0]);
	char text[VALUE_MAX];
	size_t n = 0;

	for (; name[n] != '\0' && n < sizeof(text) - 1; n++) {
		text[n] = name[n];
		if (is_code && text[n] >= 'A' && text[n] <= 'Z')
			text[n] = (char)(text[n] - 'A' + 'a');
	}
	text[n] = '\0';
	jwrite_i64(w, text, value);
}

static void write_family(struct jwrite *w, const char *name, const char *label,
			 enum stat_family family)
{
	const struct values *values = &values_of[family];
	const int64_t *numbers = stats.families[family];

	jwrite_object(w, name);
	jwrite_str(w, "label", label);
	jwrite_object(w, "values");
	for (unsigned i = values->first; i < values->end; i++)
		if (numbers[i] != 0 || !values->seldom)
			write_value(w, values->name(i), numbers[i]);
	jwrite_object_end(w);
	jwrite_object_end(w);
}

static void write_counters(struct jwrite *w, const struct readings *r)
{
	jwrite_object(w, "counters");
#define X(id, name, help) jwrite_i64(w, #name, stats.counters[STAT_##id]);
	STATS_COUNTERS(X)
#undef X
#define X(name, value, help) jwrite_i64(w, #name, (int64_t)(value));
	READ_COUNTERS(X)
#undef X
#define X(id, name, label, help) write_family(w, #name, #label, STAT_##id);
	STATS_FAMILIES(X)
#undef X
	jwrite_object_end(w);
}

static void write_gauges(struct jwrite *w, const struct readings *r)
{
	int64_t *workers = stats.families[STAT_WORKERS];
	int64_t elsewhere = workers[PRESENCE_ONLINE] + workers[PRESENCE_RECONNECTING];
	int64_t live = r->control->directory->live;

	/* Who is neither is offline, whether or not there was ever an object of it. */
	workers[PRESENCE_OFFLINE] = live > elsewhere ? live - elsewhere : 0;
	jwrite_object(w, "gauges");
#define X(name, value, help) jwrite_i64(w, #name, (int64_t)(value));
	READ_GAUGES(X)
#undef X
#define X(id, name, label, help) write_family(w, #name, #label, STAT_##id);
	STATS_GAUGES(X)
#undef X
	jwrite_object_end(w);
}

/* Bounds are powers of two of nanoseconds, where the histogram's own buckets end. */
static void write_histogram(struct jwrite *w, const char *name, const struct histogram *h)
{
	jwrite_object(w, name);
	jwrite_array(w, "buckets");
	for (unsigned i = FIRST_EXPONENT; i <= HISTOGRAM_EXPONENT_MAX; i++) {
		jwrite_array(w, NULL);
		jwrite_f64(w, NULL, (double)((uint64_t)1 << i) / 1e9);
		jwrite_i64(w, NULL, (int64_t)histogram_below(h, i));
		jwrite_array_end(w);
	}
	jwrite_array_end(w);
	jwrite_f64(w, "sum", (double)h->sum_ns / 1e9);
	jwrite_i64(w, "count", (int64_t)h->count);
	jwrite_object_end(w);
}

static void write_histograms(struct jwrite *w, const struct readings *r)
{
	jwrite_object(w, "histograms");
#define X(id, name, help) write_histogram(w, #name, &stats.histograms[STAT_##id]);
	STATS_HISTOGRAMS(X)
#undef X
#define X(name, histogram, help) write_histogram(w, #name, histogram);
	READ_HISTOGRAMS(X)
#undef X
	jwrite_object_end(w);
}

static void write_storage(struct jwrite *w, const struct store_status *s)
{
	bool ok = s->code == ERR_OK;

	jwrite_object(w, "storage");
	jwrite_str(w, "state", ok ? "ok" : "degraded");
	jwrite_str(w, "code", ok ? NULL : err_name(s->code));
	jwrite_str(w, "message", ok ? NULL : s->message);
	jwrite_time(w, "since", s->since_ms);
	jwrite_i64(w, "pending", (int64_t)s->pending);
	jwrite_object_end(w);
}

static void write_help(struct jwrite *w)
{
	jwrite_object(w, "help");
#define X(id, name, help) jwrite_str(w, #name, help);
	STATS_COUNTERS(X)
	STATS_HISTOGRAMS(X)
#undef X
#define X(id, name, label, help) jwrite_str(w, #name, help);
	STATS_FAMILIES(X)
	STATS_GAUGES(X)
#undef X
#define X(name, value, help) jwrite_str(w, #name, help);
	READ_COUNTERS(X)
	READ_GAUGES(X)
	READ_HISTOGRAMS(X)
#undef X
	jwrite_object_end(w);
}

enum err_code control_get_stats(struct control_call *call)
{
	bool help = jread_bool_or(&call->in, "help", false);
	const struct control *c = call->control;
	struct readings r = {.control = c, .conns = c->conns};
	struct jwrite *w = call->out;

	if (jread_failed(&call->in))
		return call->e->code;
	store_status(c->store, &r.store);
	hibernate_stats(c->conns, &r.objects);
	jwrite_str(w, "node", c->publish->node);
	jwrite_i64(w, "boot", c->publish->boot);
	jwrite_i64(w, "uptime_seconds", (clock_mono_us() - c->started_us) / 1000000);
	jwrite_str(w, "version", ROLLCALL_VERSION);
	/* The broker tells its plugins no more than by the events that it has. */
	jwrite_str(w, "broker_version", c->conns->has_connect_event ? "2.1" : "2.0");
	write_counters(w, &r);
	write_gauges(w, &r);
	write_histograms(w, &r);
	write_storage(w, &r.store);
	if (help)
		write_help(w);
	return ERR_OK;
}
