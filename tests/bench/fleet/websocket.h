// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* websocket.h - the client's side of RFC 6455, as far as MQTT needs it. */
#pragma once

#include "tests/bench/fleet/net.h"

enum { WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

struct ws_frame {
	int opcode;
	const char *data;
	size_t len;
};

/* Asks for the upgrade (section 4.1). */
void ws_request(struct conn *c, int port, const char *path);

/* The length of the server's whole answer, 0 while it is incomplete; *accepted tells whether it
 * is 101. */
size_t ws_answer(const char *data, size_t len, bool *accepted);

/* Takes the first frame; returns its length on the wire, 0 while it is incomplete. */
size_t ws_next(const char *data, size_t len, struct ws_frame *frame);

/* Sends one frame, masked (section 5.3). */
void ws_send(struct conn *c, int opcode, const char *data, size_t len);
