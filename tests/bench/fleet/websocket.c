// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "tests/bench/fleet/websocket.h"

#include <stdio.h>
#include <string.h>

#define FRAME_MAX (64 * 1024 + 16)

void ws_request(struct conn *c, int port, const char *path)
{
	char request[1024];
	int n = snprintf(
		request, sizeof(request),
		"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
		path, port);

	if (n < 0 || (size_t)n >= sizeof(request))
		die("path too long");
	net_send(c, request, (size_t)n);
}

size_t ws_answer(const char *data, size_t len, bool *accepted)
{
	static const char status[] = "HTTP/1.1 101";
	const char *end = memmem(data, len, "\r\n\r\n", 4);

	if (end == NULL)
		return 0;
	*accepted = len > strlen(status) && memcmp(data, status, strlen(status)) == 0;
	return (size_t)(end - data) + 4;
}

size_t ws_next(const char *data, size_t len, struct ws_frame *frame)
{
	const unsigned char *f = (const unsigned char *)data;
	size_t header = 2, n;

	if (len < header)
		return 0;
	n = f[1] & 127;
	header = n == 126 ? 4 : n == 127 ? 10 : 2;
	if (len < header)
		return 0;
	if (header > 2) {
		n = 0;
		for (size_t i = 2; i < header; i++)
			n = n << 8 | f[i];
	}
	if (len - header < n)
		return 0;
	*frame = (struct ws_frame){f[0] & 15, data + header, n};
	return header + n;
}

static size_t put_header(char *f, int opcode, size_t len)
{
	f[0] = (char)(0x80 | opcode);
	if (len < 126) {
		f[1] = (char)(0x80 | len);
		return 2;
	}
	f[1] = (char)(0x80 | 126);
	f[2] = (char)(len >> 8);
	f[3] = (char)len;
	return 4;
}

void ws_send(struct conn *c, int opcode, const char *data, size_t len)
{
	static unsigned int random = 0x9e3779b9; /* a mask need not be secret here */
	static char f[FRAME_MAX];
	char mask[4];
	size_t at;

	if (len > 65535)
		die("a frame is too long");
	at = put_header(f, opcode, len);
	random ^= random << 13;
	random ^= random >> 17;
	random ^= random << 5;
	memcpy(mask, &random, sizeof(mask));
	memcpy(f + at, mask, sizeof(mask));
	at += sizeof(mask);
	for (size_t i = 0; i < len; i++)
		f[at + i] = (char)(data[i] ^ mask[i & 3]);
	net_send(c, f, at + len);
}
