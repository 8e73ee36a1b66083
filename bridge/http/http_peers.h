// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* http_peers.h - the open connections of an HTTP server: how many each address has, and until
 * when each must have got on.
 *
 * A client that sends its header, its body or its TLS handshake byte by byte, or that reads its
 * answer so, never looks idle. So every step has an end that is set when it begins and does not
 * move: what has not come by then is cut off, and counted.
 *
 * Thread: loop. */
#pragma once

#include "bridge/http/traffic.h"
#include "protocol/err.h"

#include <stdbool.h>
#include <stddef.h>

struct config;
struct http_peer;
struct http_peers;
struct sockaddr;

/* Both stay the caller's. `traffic` counts. */
struct http_peers *http_peers_new(const struct config *config, struct traffic *traffic,
				  struct err *e) MUST_CHECK;
void http_peers_free(struct http_peers *p); /* after the last connection; NULL is fine */

/* May this address have one more connection? Trusted proxies may have any number. Counts those
 * that may not. */
bool http_peers_may(struct http_peers *p, const struct sockaddr *from);

/* A connection that was opened, and is waited for its header; `fd` is shut down when it is
 * late. NULL: out of memory. */
struct http_peer *http_peer_new(struct http_peers *p, const struct sockaddr *from, int fd);
void http_peer_free(struct http_peer *peer); /* it is closed; NULL is fine */

/* The next step begins now; for HTTP_STEP_ANSWER with that many bytes to read. */
void http_peer_step(struct http_peer *peer, enum http_step step, size_t bytes);

/* Cuts off who is late; to be called at least every few seconds. While it is not called, no
 * time passes for anybody: a bridge that was stopped blames no client. */
void http_peers_sweep(struct http_peers *p);

/* The address of a socket, as text; "" where it has none. */
#define HTTP_ADDRESS_SIZE 64
void http_address(const struct sockaddr *from, char out[HTTP_ADDRESS_SIZE]);
