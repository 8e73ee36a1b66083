// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/mqtt/tls_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL"

static _Thread_local char why[128];

const char *tls_client_why(void)
{
	return why;
}

/* ---- the context ------------------------------------------------------------------------- */

static int on_verified(int ok, X509_STORE_CTX *store)
{
	if (!ok)
		snprintf(why, sizeof(why), "its certificate is not believed: %s",
			 X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
	return ok;
}

static bool is_address(const char *host)
{
	struct in6_addr any;

	return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

/* Whose certificate it must be. libmosquitto would compare it with the address that it connects
 * to, which the bridge looks up itself. */
static bool expect_host(SSL_CTX *context, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);

	if (is_address(host))
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

static enum err_code failed(const char *file, struct err *e)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(e, ERR_INVALID_REQUEST, "%.100s: %.80s", file,
		       reason != NULL ? reason : "cannot be read");
}

static enum err_code read_files(SSL_CTX *context, const struct tls_client *c, struct err *e)
{
	if (SSL_CTX_load_verify_locations(context, c->ca, NULL) != 1)
		return failed(c->ca, e);
	if (*c->cert == '\0')
		return ERR_OK;
	if (SSL_CTX_use_certificate_chain_file(context, c->cert) != 1)
		return failed(c->cert, e);
	if (SSL_CTX_use_PrivateKey_file(context, c->key, SSL_FILETYPE_PEM) != 1)
		return failed(c->key, e);
	return ERR_OK;
}

struct ssl_ctx_st *tls_client_context(const struct tls_client *c, struct err *e)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	why[0] = '\0';
	e->code = ERR_OK;
	if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(context, CIPHERS_1_2) != 1 ||
	    !expect_host(context, c->host)) {
		err_set(e, ERR_OUT_OF_MEMORY, "TLS cannot be set up");
	} else {
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verified);
		SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
						  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
						  SSL_MODE_RELEASE_BUFFERS);
		read_files(context, c, e);
	}
	if (e->code == ERR_OK)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

void tls_client_context_free(struct ssl_ctx_st *context)
{
	SSL_CTX_free(context);
}

/* ---- a connection ------------------------------------------------------------------------ */

bool tls_client_has_pending(struct ssl_st *ssl)
{
	return ssl != NULL && SSL_pending(ssl) > 0;
}

struct ssl_st *tls_client_new(const struct tls_client *c, int fd, struct err *e)
{
	SSL_CTX *context = tls_client_context(c, e);
	SSL *ssl = context != NULL ? SSL_new(context) : NULL;

	SSL_CTX_free(context); /* the connection has a reference of its own */
	if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 &&
	    (is_address(c->host) || SSL_set_tlsext_host_name(ssl, c->host) == 1)) {
		SSL_set_connect_state(ssl);
		return ssl;
	}
	if (e->code == ERR_OK)
		err_set(e, ERR_OUT_OF_MEMORY, "TLS cannot be set up");
	SSL_free(ssl);
	return NULL;
}

void tls_client_free(struct ssl_st *ssl)
{
	SSL_free(ssl);
}

/* 0: the peer has said goodbye. */
static ssize_t result_of(struct ssl_st *ssl, int rc)
{
	const int saved = errno;

	switch (SSL_get_error(ssl, rc)) {
	case SSL_ERROR_NONE:
		return rc;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		errno = saved != 0 ? saved : ECONNRESET;
		return -1;
	default:
		errno = EPROTO;
		return -1;
	}
}

static int bounded(size_t len)
{
	return len < INT_MAX ? (int)len : INT_MAX;
}

ssize_t tls_client_read(struct ssl_st *ssl, void *out, size_t len)
{
	ERR_clear_error(); /* SSL_get_error() looks at what is queued in this thread */
	errno = 0;
	return result_of(ssl, SSL_read(ssl, out, bounded(len)));
}

ssize_t tls_client_write(struct ssl_st *ssl, const void *data, size_t len)
{
	ERR_clear_error();
	errno = 0;
	return result_of(ssl, SSL_write(ssl, data, bounded(len)));
}

bool tls_client_wants_write(const struct ssl_st *ssl, bool more)
{
	return SSL_want_write(ssl) || (more && !SSL_want_read(ssl));
}
