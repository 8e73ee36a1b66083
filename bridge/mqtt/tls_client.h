// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* tls_client.h - TLS towards the broker: whom the bridge believes, and what it shows of itself.
 *
 * The peer's certificate must come from the given CA and be for the host that was configured,
 * whatever address it has. Files are read anew for each connection, so that one that is
 * replaced needs no restart.
 *
 * OpenSSL here, since libmosquitto takes nothing else; GnuTLS in tls_server.c, since
 * libmicrohttpd does. Thread: any, one context each.
 */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */
struct ssl_st;     /* and SSL */

struct tls_client {
	const char *ca, *cert, *key; /* files; cert and key may be "" */
	const char *host;            /* a name or an address */
};

/* A context that is the caller's, to be freed with tls_client_context_free(). The message names
 * the file that cannot be read. */
struct ssl_ctx_st *tls_client_context(const struct tls_client *c, struct err *e) MUST_CHECK;
void tls_client_context_free(struct ssl_ctx_st *context); /* NULL is fine */

/* Why this thread did not believe the last peer; "" if it did. */
const char *tls_client_why(void);

/* Bytes that were decrypted and not read: the socket does not show them. NULL: none. */
bool tls_client_has_pending(struct ssl_st *ssl);

/* A connection over a socket that does not block, which stays the caller's. NULL: e. */
struct ssl_st *tls_client_new(const struct tls_client *c, int fd, struct err *e) MUST_CHECK;
void tls_client_free(struct ssl_st *ssl); /* NULL is fine */

/* As read() and write(): -1 and EAGAIN where the socket has to be waited for. The handshake is
 * made on the way. */
ssize_t tls_client_read(struct ssl_st *ssl, void *out, size_t len);
ssize_t tls_client_write(struct ssl_st *ssl, const void *data, size_t len);

/* Is it to be waited for that the socket takes bytes? `more`: there are some to be written. To
 * be asked after a write, where there were. */
bool tls_client_wants_write(const struct ssl_st *ssl, bool more);
