// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* tls_server.h - the certificate that https shows, and how it is replaced while the bridge
 * runs.
 *
 * One for the process: GnuTLS asks for it by a function that gets no argument of ours. One that
 * was replaced stays in memory until the process ends, since handshakes may still hold it.
 *
 * Thread: loop. */
#pragma once

#include "protocol/err.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdint.h>

/* What is spoken: TLS 1.2 and 1.3, with forward secrecy. */
#define TLS_SERVER_PRIORITIES                                                                  \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-SHA1:%SERVER_PRECEDENCE"

/* Reads certificate (with its chain) and key, both PEM; they must belong together. From then on
 * new connections are shown these. On failure everything stays as it was, and the message names
 * the file. */
enum err_code tls_server_load(const char *cert_file, const char *key_file,
			      struct err *e) MUST_CHECK;

/* Forgets them all: after the servers have stopped. */
void tls_server_unload(void);

/* When the certificate's validity ends, Unix seconds; 0: there is none. */
int64_t tls_server_not_after_s(void);

/* For libmicrohttpd: a gnutls_certificate_retrieve_function2. */
int tls_server_pick(gnutls_session_t session, const gnutls_datum_t *names, int names_len,
		    const gnutls_pk_algorithm_t *algorithms, int algorithms_len,
		    gnutls_pcert_st **chain, unsigned *chain_len, gnutls_privkey_t *key);
