// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/base/logging.h"

#include "bridge/base/config.h"
#include "protocol/clock.h"
#include "protocol/jwrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 16384
#define FIELDS_MAX 16
#define NAME_MAX_BYTES 32
#define DIGITS_MAX 15 /* of a number that every reader of JSON keeps exactly */

/* What a line says itself; fields of these names would say it again. */
static const char *const taken[] = {"at", "level", "subsystem", "request", "message"};

struct field {
	const char *name, *value; /* borrowed from the message */
	size_t name_len, value_len;
};

/* ---- text -------------------------------------------------------------------------------- */

void logging_text(struct buf *line, int64_t at_ms, enum log_level level, const char *subsystem,
		  const char *text)
{
	const struct log_cause cause = log_cause();
	char at[CLOCK_TEXT_SIZE];

	clock_format(at_ms, at);
	buf_printf(line, "%s %-5s %s: %s%s%s%s\n", at, log_level_name(level), subsystem,
		   cause.id[0] != '\0' ? "request=" : "", cause.id,
		   cause.id[0] != '\0' ? " " : "", text);
}

/* ---- JSON -------------------------------------------------------------------------------- */

static bool same_name(const struct field *f, const char *name, size_t len)
{
	return f->name_len == len && memcmp(f->name, name, len) == 0;
}

static bool is_taken(const struct field *fields, size_t n, const struct field *f)
{
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		if (same_name(f, taken[i], strlen(taken[i])))
			return true;
	for (size_t i = 0; i < n; i++)
		if (same_name(f, fields[i].name, fields[i].name_len))
			return true;
	return false;
}

/* Reads name=value at `word`, which ends with a space or the message; false if it is not one.
 */
static bool read_field(const char *word, size_t len, struct field *f)
{
	const size_t name_len = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_");

	if (name_len == 0 || name_len > NAME_MAX_BYTES || name_len >= len ||
	    word[name_len] != '=')
		return false;
	*f = (struct field){word, word + name_len + 1, name_len, len - name_len - 1};
	/* "key=a, other=b": the comma is the sentence's. */
	while (f->value_len > 0 && strchr(",;:", f->value[f->value_len - 1]) != NULL)
		f->value_len--;
	return f->value_len > 0;
}

static size_t read_fields(const char *text, struct field fields[FIELDS_MAX])
{
	size_t n = 0;

	while (*text != '\0' && n < FIELDS_MAX) {
		const size_t len = strcspn(text, " ");

		if (read_field(text, len, &fields[n]) && !is_taken(fields, n, &fields[n]))
			n++;
		text += len;
		text += strspn(text, " ");
	}
	return n;
}

static bool is_number(const struct field *f)
{
	const size_t sign = f->value[0] == '-';
	const size_t digits = f->value_len - sign;

	/* A leading zero is part of a name, not of a number (RFC 8259 section 6). */
	return digits > 0 && digits <= DIGITS_MAX &&
	       strspn(f->value + sign, "0123456789") >= digits &&
	       (digits == 1 || f->value[sign] != '0');
}

static void write_field(struct jwrite *w, const struct field *f)
{
	char name[NAME_MAX_BYTES + 1];

	memcpy(name, f->name, f->name_len);
	name[f->name_len] = '\0';
	if (is_number(f))
		jwrite_i64(w, name, strtoll(f->value, NULL, 10));
	else
		jwrite_strn(w, name, f->value, f->value_len);
}

void logging_json(struct buf *line, int64_t at_ms, enum log_level level, const char *subsystem,
		  const char *text)
{
	const struct log_cause cause = log_cause();
	struct field fields[FIELDS_MAX];
	const size_t n = read_fields(text, fields);
	struct jwrite w;

	jwrite_begin(&w, line);
	jwrite_object(&w, NULL);
	jwrite_time(&w, "at", at_ms);
	jwrite_str(&w, "level", log_level_name(level));
	jwrite_str(&w, "subsystem", subsystem);
	if (cause.id[0] != '\0')
		jwrite_str(&w, "request", cause.id);
	jwrite_str(&w, "message", text);
	for (size_t i = 0; i < n; i++)
		write_field(&w, &fields[i]);
	jwrite_object_end(&w);
	buf_add_char(line, '\n');
}

/* ---- sinks ------------------------------------------------------------------------------- */

static void (*form)(struct buf *line, int64_t at_ms, enum log_level level,
		    const char *subsystem, const char *text);

/* One write per line, so that those of several threads never mix. */
static void sink(enum log_level level, const char *subsystem, const char *text)
{
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES);
	form(&line, clock_unix_ms(), level, subsystem, text);
	if (!line.failed)
		fputs(line.data, stderr);
	buf_fini(&line);
}

void logging_start(const struct config *config)
{
	enum log_level level = LOG_LEVEL_INFO;

	log_level_parse(config->log_level, &level);
	log_set_level(level);
	form = strcmp(config->log_format, "json") == 0 ? logging_json : logging_text;
	log_set_sink(sink);
}
