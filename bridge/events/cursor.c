// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/events/cursor.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void encode(const char *plain, char out[CURSOR_TEXT_SIZE])
{
	sodium_bin2base64(out, CURSOR_TEXT_SIZE, (const unsigned char *)plain, strlen(plain),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void page_cursor_print(const struct page_cursor *cursor, char out[CURSOR_TEXT_SIZE])
{
	char plain[WORKER_ID_MAX + 32];

	snprintf(plain, sizeof(plain), "p1 %" PRId64 " %s", cursor->created_ms,
		 cursor->id.text);
	encode(plain, out);
}

/* False if it is no text of ours that begins with the prefix. */
static bool decode(const char *text, const char *prefix, char *plain, size_t size)
{
	size_t len = 0;

	if (sodium_base642bin((unsigned char *)plain, size - 1, text, strlen(text), NULL, &len,
			      NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return false;
	plain[len] = '\0';
	return strlen(plain) == len && strncmp(plain, prefix, strlen(prefix)) == 0;
}

bool page_cursor_parse(const char *text, struct page_cursor *out)
{
	char plain[WORKER_ID_MAX + 64], *id;

	if (!decode(text, "p1 ", plain, sizeof(plain)))
		return false;
	errno = 0;
	out->created_ms = strtoimax(plain + 3, &id, 10);
	return errno == 0 && id != plain + 3 && *id == ' ' &&
	       worker_id_parse(id + 1, strlen(id + 1), &out->id);
}

void audit_cursor_print(const struct audit_cursor *cursor, char out[CURSOR_TEXT_SIZE])
{
	char plain[64];

	snprintf(plain, sizeof(plain), "a1 %" PRId64 " %" PRId64, cursor->at_ms, cursor->id);
	encode(plain, out);
}

bool audit_cursor_parse(const char *text, struct audit_cursor *out)
{
	char plain[64], *id, *end;

	if (!decode(text, "a1 ", plain, sizeof(plain)))
		return false;
	errno = 0;
	out->at_ms = strtoimax(plain + 3, &id, 10);
	out->id = strtoimax(id, &end, 10);
	return errno == 0 && id != plain + 3 && *id == ' ' && end != id && *end == '\0' &&
	       out->at_ms >= 0 && out->id >= 0;
}

void command_cursor_print(const struct command_cursor *cursor, char out[CURSOR_TEXT_SIZE])
{
	char plain[COMMAND_ID_LEN + 32];

	snprintf(plain, sizeof(plain), "c1 %" PRId64 " %s", cursor->created_ms,
		 cursor->id.text);
	encode(plain, out);
}

bool command_cursor_parse(const char *text, struct command_cursor *out)
{
	char plain[COMMAND_ID_LEN + 64], *id;

	if (!decode(text, "c1 ", plain, sizeof(plain)))
		return false;
	errno = 0;
	out->created_ms = strtoimax(plain + 3, &id, 10);
	return errno == 0 && id != plain + 3 && *id == ' ' && out->created_ms >= 0 &&
	       command_id_parse(id + 1, strlen(id + 1), &out->id);
}

void watch_cursor_print(const struct watch_cursor *cursor, char out[CURSOR_TEXT_SIZE])
{
	char plain[EVENT_INSTANCE_MAX + 32];

	snprintf(plain, sizeof(plain), "%c2 %" PRIu64 " %s", cursor->unknown ? 'u' : 'w',
		 cursor->n, cursor->instance);
	encode(plain, out);
}

bool watch_cursor_parse(const char *text, struct watch_cursor *out)
{
	char plain[EVENT_INSTANCE_MAX + 64], *instance;

	out->unknown = decode(text, "u2 ", plain, sizeof(plain));
	if (!out->unknown && !decode(text, "w2 ", plain, sizeof(plain)))
		return false;
	if (plain[3] < '0' || plain[3] > '9')
		return false;
	errno = 0;
	out->n = strtoumax(plain + 3, &instance, 10);
	if (errno != 0 || *instance != ' ' || strlen(instance + 1) > EVENT_INSTANCE_MAX)
		return false;
	snprintf(out->instance, sizeof(out->instance), "%s", instance + 1);
	return true;
}
