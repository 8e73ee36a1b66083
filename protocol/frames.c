// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "protocol/frames.h"

#include <string.h>

#define DIGITS_MAX 9

void frame_write(struct buf *out, const struct worker_id *worker, const void *payload,
		 size_t len)
{
	char *head = buf_reserve(out, FRAME_HEAD_MAX + len), digits[20];
	size_t id_len = strlen(worker->text), n = 0, rest = len;

	if (head == NULL)
		return;
	memcpy(head, worker->text, id_len);
	head += id_len;
	*head++ = ' ';
	do
		digits[n++] = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	while (n > 0)
		*head++ = digits[--n];
	*head++ = '\n';
	if (len > 0)
		memcpy(head, payload, len);
	out->len = (size_t)(head - out->data) + len;
	out->data[out->len] = '\0';
}

static bool read_length(const char *at, const char *end, size_t *len)
{
	*len = 0;
	if (at == end || end - at > DIGITS_MAX)
		return false;
	for (; at < end && *at >= '0' && *at <= '9'; at++)
		*len = *len * 10 + (size_t)(*at - '0');
	return at == end;
}

bool frame_next(struct frames *f, struct worker_id *worker, const char **payload, size_t *len)
{
	const size_t left = (size_t)(f->end - f->at);
	const char *line_end =
		memchr(f->at, '\n', left < FRAME_HEAD_MAX ? left : FRAME_HEAD_MAX);
	const char *space;

	if (line_end == NULL)
		return false;
	space = memchr(f->at, ' ', (size_t)(line_end - f->at));
	if (space == NULL || !worker_id_parse(f->at, (size_t)(space - f->at), worker) ||
	    !read_length(space + 1, line_end, len) || *len > (size_t)(f->end - line_end - 1))
		return false;
	*payload = line_end + 1;
	f->at = *payload + *len;
	return true;
}
