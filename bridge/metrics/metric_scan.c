// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/metrics/metric_scan.h"

#include "protocol/clock.h"

#include <math.h>
#include <string.h>

#define EXTRA_KEYS_MAX 16 /* compared with each other, each with each */
#define EXTRA_BYTES_MAX 2048
#define DIGITS_MAX 15 /* so many a double holds exactly */
#define KNOWN_KEYS 6

struct slice {
	const char *at;
	size_t len;
};

struct scan {
	const struct metric_source *from;
	const char *at, *end;
	/* Of the report under way. */
	struct metric_report report;
	unsigned seen; /* bits: which of the known keys */
	struct slice keys[EXTRA_KEYS_MAX];
	size_t keys_len;
	char extra[EXTRA_BYTES_MAX];
	size_t extra_len;
};

/* ---- signs ------------------------------------------------------------------------------- */

static char look(struct scan *s)
{
	while (s->at < s->end &&
	       (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
		s->at++;
	if (s->at == s->end)
		return '\0';
	return *s->at;
}

static bool accept(struct scan *s, char c)
{
	if (look(s) != c)
		return false;
	s->at++;
	return true;
}

static bool word(struct scan *s, const char *text, size_t len)
{
	if ((size_t)(s->end - s->at) < len || memcmp(s->at, text, len) != 0)
		return false;
	s->at += len;
	return true;
}

/* A string that stands for itself. */
static bool string(struct scan *s, struct slice *out)
{
	if (!accept(s, '"'))
		return false;
	out->at = s->at;
	while (s->at < s->end && *s->at >= ' ' && *s->at < 0x7f && *s->at != '"' &&
	       *s->at != '\\')
		s->at++;
	out->len = (size_t)(s->at - out->at);
	return word(s, "\"", 1);
}

static bool is_digit(const struct scan *s)
{
	return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

/* A number without an exponent whose digits a double holds; *integer: it has no fraction. */
static bool number(struct scan *s, double *out, int64_t *integer, bool *is_integer)
{
	static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
					1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
	const bool negative = look(s) == '-';
	const char *first;
	int64_t value = 0;
	size_t whole, fraction = 0;

	s->at += negative;
	for (first = s->at; is_digit(s) && s->at - first <= DIGITS_MAX; s->at++)
		value = value * 10 + (*s->at - '0');
	whole = (size_t)(s->at - first);
	if (whole == 0 || (*first == '0' && whole > 1))
		return false;
	if (word(s, ".", 1)) {
		for (; is_digit(s) && whole + fraction <= DIGITS_MAX; s->at++, fraction++)
			value = value * 10 + (*s->at - '0');
		if (fraction == 0)
			return false;
	}
	if (whole + fraction > DIGITS_MAX || (negative && value == 0) ||
	    (s->at < s->end && (*s->at == 'e' || *s->at == 'E')))
		return false;
	*integer = negative ? -value : value;
	*is_integer = fraction == 0;
	/* Both are exact, so the quotient is rounded as the decimal would be. */
	*out = (double)*integer / powers[fraction];
	return true;
}

/* ---- keys that we know ------------------------------------------------------------------- */

static bool read_number(struct scan *s, double *out)
{
	bool is_integer;
	int64_t integer;

	return number(s, out, &integer, &is_integer);
}

static bool read_memory(struct scan *s)
{
	return read_number(s, &s->report.memory);
}

static bool read_cpu(struct scan *s)
{
	return read_number(s, &s->report.cpu);
}

static bool read_rate(struct scan *s)
{
	return read_number(s, &s->report.rate);
}

static bool read_seq(struct scan *s)
{
	bool is_integer;
	double value;

	return number(s, &value, &s->report.seq, &is_integer) && is_integer &&
	       s->report.seq >= 0;
}

static bool read_at(struct scan *s)
{
	struct slice text;

	return string(s, &text) && clock_parse(text.at, text.len, &s->report.at_ms) &&
	       s->report.at_ms > 0;
}

static bool read_status(struct scan *s)
{
	struct slice text;

	if (!string(s, &text) || text.len == 0 || text.len > ENGINE_STATUS_MAX)
		return false;
	memcpy(s->report.engine_status, text.at, text.len);
	s->report.engine_status[text.len] = '\0';
	return true;
}

static const struct known {
	const char *key;
	size_t len;
	bool (*read)(struct scan *s);
} known[KNOWN_KEYS] = {
	{"memory",        6,  read_memory},
        {"cpu",           3,  read_cpu   },
        {"rate",          4,  read_rate  },
	{"engine_status", 13, read_status},
        {"seq",           3,  read_seq   },
        {"at",            2,  read_at    },
};

static bool is(const struct slice *a, const char *text, size_t len)
{
	return a->len == len && memcmp(a->at, text, len) == 0;
}

/* ---- the others -------------------------------------------------------------------------- */

static bool add(struct scan *s, const char *text, size_t len)
{
	if (s->extra_len + len > EXTRA_BYTES_MAX)
		return false;
	memcpy(s->extra + s->extra_len, text, len);
	s->extra_len += len;
	return true;
}

static bool skip_value(struct scan *s)
{
	struct slice text;
	bool is_integer;
	int64_t integer;
	double value;

	switch (look(s)) {
	case '"':
		return string(s, &text);
	case 't':
		return word(s, "true", 4);
	case 'f':
		return word(s, "false", 5);
	default:
		return number(s, &value, &integer, &is_integer);
	}
}

/* Kept as it was written. */
static bool read_other(struct scan *s, const struct slice *key)
{
	const char *value;

	/* Of two with one name the last counts; "reports" makes it another kind of message. */
	for (size_t i = 0; i < s->keys_len; i++)
		if (is(key, s->keys[i].at, s->keys[i].len))
			return false;
	if (s->keys_len == EXTRA_KEYS_MAX || is(key, "reports", 7))
		return false;
	s->keys[s->keys_len++] = *key;
	look(s);
	value = s->at;
	return skip_value(s) && add(s, s->extra_len == 0 ? "{\"" : ",\"", 2) &&
	       add(s, key->at, key->len) && add(s, "\":", 2) &&
	       add(s, value, (size_t)(s->at - value));
}

/* ---- reports ----------------------------------------------------------------------------- */

static bool member(struct scan *s)
{
	struct slice key;

	if (!string(s, &key) || !accept(s, ':') || look(s) == 'n')
		return false;
	for (unsigned i = 0; i < KNOWN_KEYS; i++)
		if (is(&key, known[i].key, known[i].len)) {
			if (s->seen & 1u << i)
				return false;
			s->seen |= 1u << i;
			return known[i].read(s);
		}
	return read_other(s, &key);
}

static struct metric_report *keep(struct scan *s)
{
	struct metric_report *r;

	if (s->report.seq >= 0 && s->report.at_ms == 0)
		return NULL;
	if (s->extra_len > 0 && !add(s, "}", 1))
		return NULL;
	r = metric_report_new(s->from, s->extra, s->extra_len);
	if (r == NULL)
		return NULL;
	r->seq = s->report.seq;
	r->at_ms = s->report.at_ms != 0 ? s->report.at_ms : s->from->received_ms;
	r->memory = s->report.memory;
	r->cpu = s->report.cpu;
	r->rate = s->report.rate;
	memcpy(r->engine_status, s->report.engine_status, sizeof(r->engine_status));
	return r;
}

/* The members of an object whose brace is behind us; NULL: not plain. */
static struct metric_report *report(struct scan *s)
{
	s->report.at_ms = 0;
	s->report.seq = -1;
	s->report.memory = s->report.cpu = s->report.rate = NAN;
	s->report.engine_status[0] = '\0';
	s->seen = 0;
	s->keys_len = s->extra_len = 0;
	if (!accept(s, '}')) {
		do {
			if (!member(s))
				return NULL;
		} while (accept(s, ','));
		if (!accept(s, '}'))
			return NULL;
	}
	return keep(s);
}

static bool reports(struct scan *s, struct metric_report **list)
{
	size_t n = 0;

	if (!accept(s, ':') || !accept(s, '['))
		return false;
	do {
		if (!accept(s, '{') || n++ == METRIC_REPORTS_MAX)
			return false;
		*list = report(s);
		if (*list == NULL)
			return false;
		list = &(*list)->next;
	} while (accept(s, ','));
	return accept(s, ']') && accept(s, '}');
}

static bool message(struct scan *s, struct metric_report **list)
{
	const char *first;
	struct slice key;

	if (!accept(s, '{'))
		return false;
	first = s->at;
	if (string(s, &key) && is(&key, "reports", 7))
		return reports(s, list) && look(s) == '\0' && s->at == s->end;
	s->at = first;
	*list = report(s);
	return *list != NULL && look(s) == '\0' && s->at == s->end;
}

bool metric_scan(const struct metric_source *from, const char *text, size_t len,
		 struct metric_report **list)
{
	struct scan s;

	s.from = from;
	s.at = text;
	s.end = text + len;
	*list = NULL;
	if (message(&s, list))
		return true;
	metric_report_free_list(*list);
	*list = NULL;
	return false;
}
