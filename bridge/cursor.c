// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/cursor.h"

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

bool page_cursor_parse(const char *text, struct page_cursor *out)
{
	char plain[WORKER_ID_MAX + 64], *id;
	size_t len = 0;

	if (sodium_base642bin((unsigned char *)plain, sizeof(plain) - 1, text, strlen(text),
			      NULL, &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return false;
	plain[len] = '\0';
	if (strlen(plain) != len || strncmp(plain, "p1 ", 3) != 0)
		return false;
	errno = 0;
	out->created_ms = strtoimax(plain + 3, &id, 10);
	return errno == 0 && id != plain + 3 && *id == ' ' &&
	       worker_id_parse(id + 1, strlen(id + 1), &out->id);
}

void watch_cursor_print(const char *node, struct presence_pos pos, char out[CURSOR_TEXT_SIZE])
{
	char plain[NODE_ID_MAX + 64];

	snprintf(plain, sizeof(plain), "w1 %" PRId64 " %" PRId64 " %s", pos.boot, pos.seq,
		 node);
	encode(plain, out);
}
