// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* http.h - requests and answers, as handlers see them (libmicrohttpd stays inside http.c).
 *
 * A handler either answers before it returns, or returns ERR_OK and answers later from the loop
 * thread: the connection waits meanwhile. Every request is answered exactly once, whatever
 * happened to its client; it is freed by being answered.
 *
 *	static enum err_code get_worker(struct request *rq, struct err *e)
 *	{
 *		... return err_set(e, ERR_WORKER_NOT_FOUND, NULL);	the error is answered
 *		... respond_json(rq, 200, &body); return ERR_OK;
 *	}
 *
 * Thread: loop.
 */
#pragma once

#include "protocol/buf.h"
#include "protocol/err.h"
#include "protocol/ident.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct app;

enum http_method {
	HTTP_GET,
	HTTP_POST,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_OTHER
}; /* GET: HEAD too */
enum role { ROLE_VIEWER, ROLE_ADMIN };

#define ACTOR_MAX 64 /* bytes of who it was, in records and in the audit trail */

/* Who asks. */
struct principal {
	char name[ACTOR_MAX + 1]; /* a user's, or "key:NAME"; "" on open routes */
	unsigned scopes;          /* what they may: bits of enum scope */
	enum role role;           /* of a user */
	int64_t expires_ms;       /* of the session or the key; 0: never */
	int64_t ver;              /* the user's when the session began; 0: it is a key */
	char jti[33];             /* names the session */
	struct token_hash key;    /* the API key's */
};

struct request {
	struct app *app;
	struct principal who;
	struct worker_id worker; /* the path's {worker} */
	const char *param; /* the path's other placeholder ({client}, {command}, …) or NULL */
	struct json_object *body;  /* parsed JSON; NULL when the request had none */
	char id[33];               /* X-Request-Id */
	char address[64];          /* the client's, past the proxies that are trusted */
	bool secure;               /* it came by TLS, to us or to such a proxy */
	struct request_http *http; /* http.c's own part */
};

typedef enum err_code (*handler_f)(struct request *rq, struct err *e);

/* First value of a query parameter, NULL if absent. Percent-decoded. Borrowed from rq. */
const char *request_query(const struct request *rq, const char *name);

/* The value of its nth occurrence (0 is the first), NULL past the last. */
const char *request_query_nth(const struct request *rq, const char *name, size_t nth);

/* An integer query parameter; absent: `otherwise`; not a number or outside: ERR_INVALID_REQUEST
 * that names it. */
enum err_code request_query_i64(const struct request *rq, const char *name, int64_t otherwise,
				int64_t min, int64_t max, int64_t *out,
				struct err *e) MUST_CHECK;

/* Starts to read the body, which must be there and be an object. */
struct jread;
void request_read(const struct request *rq, struct jread *r, struct err *e);

/* Refuses parameters other than those listed (NULL ends the list): a misspelt filter that was
 * ignored would return everything. */
enum err_code request_query_only(const struct request *rq, const char *const names[],
				 struct err *e) MUST_CHECK;

/* Equal for equal queries. */
uint64_t request_query_hash(const struct request *rq);

/* A request header's value, NULL if absent; the first one if it is there several times. */
const char *request_header(const struct request *rq, const char *name);

/* All values of a header that may be there several times, with commas between them. */
void request_header_all(const struct request *rq, const char *name, struct buf *out);

/* Adds a header to the answer to come. Values are copied. */
void respond_header(struct request *rq, const char *name, const char *value);

/* Adds a Link to the next page: this address with another cursor. */
void respond_next_link(struct request *rq, const char *cursor);

#define HTTP_ANSWER_MAX (256 * 1024 * 1024) /* no answer is larger */

/* Answers with JSON; takes body's bytes. A body that failed becomes a 500. */
void respond_json(struct request *rq, unsigned status, struct buf *body);

/* The same with another Content-Type (a literal). */
void respond_typed(struct request *rq, unsigned status, struct buf *body, const char *type);
void respond_text(struct request *rq, unsigned status, const char *text);
void respond_empty(struct request *rq, unsigned status);
void respond_error(struct request *rq, const struct err *e);
