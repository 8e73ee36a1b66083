// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/tls_server.h"

#include <gnutls/x509.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 16 /* certificates in the file */
#define KEY_ID_BYTES 64

struct certificate {
	struct certificate *before; /* what this one replaced */
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned chain_len;
	gnutls_privkey_t key; /* NULL: not read yet */
	int64_t not_after_s;
};

static struct certificate *current; /* NULL: no TLS */

static void certificate_free(struct certificate *c)
{
	for (unsigned i = 0; i < c->chain_len; i++)
		gnutls_pcert_deinit(&c->chain[i]);
	if (c->key != NULL)
		gnutls_privkey_deinit(c->key);
	free(c);
}

/* ---- reading ----------------------------------------------------------------------------- */

static enum err_code failed(const char *file, int rc, struct err *e)
{
	return err_set(e, ERR_INVALID_REQUEST, "%.80s: %.60s", file, gnutls_strerror(rc));
}

static enum err_code read_end(struct certificate *c, const char *file, struct err *e)
{
	gnutls_x509_crt_t crt;
	int rc = gnutls_x509_crt_init(&crt);

	if (rc < 0)
		return failed(file, rc, e);
	rc = gnutls_x509_crt_import(crt, &c->chain[0].cert, GNUTLS_X509_FMT_DER);
	if (rc >= 0)
		c->not_after_s = gnutls_x509_crt_get_expiration_time(crt);
	gnutls_x509_crt_deinit(crt);
	return rc < 0 ? failed(file, rc, e) : ERR_OK;
}

static enum err_code read_chain(struct certificate *c, const char *file, struct err *e)
{
	unsigned len = CHAIN_MAX;
	gnutls_datum_t pem;
	int rc = gnutls_load_file(file, &pem);

	if (rc < 0)
		return failed(file, rc, e);
	rc = gnutls_pcert_list_import_x509_raw(c->chain, &len, &pem, GNUTLS_X509_FMT_PEM, 0);
	gnutls_free(pem.data);
	if (rc < 0)
		return failed(file, rc, e);
	c->chain_len = len;
	return read_end(c, file, e);
}

static enum err_code read_key(struct certificate *c, const char *file, struct err *e)
{
	gnutls_datum_t pem;
	int rc = gnutls_load_file(file, &pem);

	if (rc < 0)
		return failed(file, rc, e);
	rc = gnutls_privkey_init(&c->key);
	if (rc >= 0)
		rc = gnutls_privkey_import_x509_raw(c->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	sodium_memzero(pem.data, pem.size);
	gnutls_free(pem.data);
	return rc < 0 ? failed(file, rc, e) : ERR_OK;
}

/* Is the key the certificate's? GnuTLS finds out in the first handshake only. */
static bool belong_together(const struct certificate *c)
{
	unsigned char of_chain[KEY_ID_BYTES] = {0}, of_key[KEY_ID_BYTES] = {1};
	size_t chain_size = sizeof(of_chain), key_size = sizeof(of_key);
	gnutls_pubkey_t public;
	bool same;

	if (gnutls_pubkey_init(&public) < 0)
		return false;
	same = gnutls_pubkey_import_privkey(public, c->key, 0, 0) >= 0 &&
	       gnutls_pubkey_get_key_id(public, 0, of_key, &key_size) >= 0 &&
	       gnutls_pubkey_get_key_id(c->chain[0].pubkey, 0, of_chain, &chain_size) >= 0 &&
	       key_size == chain_size && memcmp(of_chain, of_key, key_size) == 0;
	gnutls_pubkey_deinit(public);
	return same;
}

enum err_code tls_server_load(const char *cert_file, const char *key_file, struct err *e)
{
	struct certificate *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	e->code = ERR_OK;
	if (read_chain(c, cert_file, e) == ERR_OK && read_key(c, key_file, e) == ERR_OK &&
	    !belong_together(c))
		err_set(e, ERR_INVALID_REQUEST, "%.80s: is not the key of %.80s", key_file,
			cert_file);
	if (e->code != ERR_OK) {
		certificate_free(c);
		return e->code;
	}
	c->before = current;
	current = c;
	return ERR_OK;
}

/* ---- use --------------------------------------------------------------------------------- */

void tls_server_unload(void)
{
	while (current != NULL) {
		struct certificate *c = current;

		current = c->before;
		certificate_free(c);
	}
}

int64_t tls_server_not_after_s(void)
{
	return current != NULL ? current->not_after_s : 0;
}

int tls_server_pick(gnutls_session_t session, const gnutls_datum_t *names, int names_len,
		    const gnutls_pk_algorithm_t *algorithms, int algorithms_len,
		    gnutls_pcert_st **chain, unsigned *chain_len, gnutls_privkey_t *key)
{
	(void)session;
	(void)names;
	(void)names_len;
	(void)algorithms;
	(void)algorithms_len;
	if (current == NULL)
		return -1;
	*chain = current->chain;
	*chain_len = current->chain_len;
	*key = current->key;
	return 0;
}
