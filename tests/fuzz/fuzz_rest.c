// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Requests, as text: a line with method and target, header lines, an empty line, the body. They
 * go the way of every request, from its header to the handler and its answer. What is behind is
 * cut off by the linker (--wrap, in the Makefile): libmicrohttpd, the database, which is always
 * away, and the broker, which always answers. "JWT" in a header stands for an administrator's
 * session. A request that may not do what it asks is refused, and then tried once more as one
 * that may, so that handlers are reached without a password. */
#include "bridge/http/http_request.h"
#include "bridge/http/routes.h"
#include "bridge/identity/auth.h"
#include "bridge/identity/identity.h"
#include "bridge/identity/jwt.h"
#include "bridge/identity/key.h"
#include "tests/fuzz/fuzz_bridge.h"

#include <sodium.h>
#include <strings.h>

#define SECRET "secret of this installation, 32 bytes and more"
#define KEY "rk_0123456789012345678901234567890123456789012"
#define PROXIES "10.0.0.0/8"
#define HEADERS_MAX 24

static char *session; /* text of an administrator's */
static struct key_row key;
static struct user_row admin = {.name = "admin", .role = ROLE_ADMIN, .ver = 1};

/* ---- what is cut off: the header lines --------------------------------------------------- */

static struct {
	char *name, *value;
} headers[HEADERS_MAX];
static size_t headers_len;

const char *__wrap_request_header(const struct request *rq, const char *name);
const char *__wrap_request_header(const struct request *rq, const char *name)
{
	(void)rq;
	for (size_t i = 0; i < headers_len; i++)
		if (strcasecmp(headers[i].name, name) == 0)
			return headers[i].value;
	return NULL;
}

void __wrap_request_header_all(const struct request *rq, const char *name, struct buf *out);
void __wrap_request_header_all(const struct request *rq, const char *name, struct buf *out)
{
	(void)rq;
	for (size_t i = 0; i < headers_len; i++)
		if (strcasecmp(headers[i].name, name) == 0)
			buf_printf(out, "%s%s", out->len > 0 ? "," : "", headers[i].value);
}

/* ---- the answer -------------------------------------------------------------------------- */

static bool answered;

static bool is_json_answer(const struct request_http *rh)
{
	for (size_t i = 0; i < rh->headers_len; i++)
		if (strcmp(rh->headers[i].name, "Content-Type") == 0)
			return strcmp(rh->headers[i].value, "application/json") == 0;
	return false;
}

static void check_headers(const struct request_http *rh)
{
	for (size_t i = 0; i < rh->headers_len; i++)
		for (const char *c = rh->headers[i].value; *c != '\0'; c++)
			must((unsigned char)*c >= 0x20 && *c != 0x7f);
}

/* As soon as it is answered a request belongs to nobody: its client may have left. */
void __wrap_http_answered(struct request_http *rh);
void __wrap_http_answered(struct request_http *rh)
{
	struct json_object *doc;
	struct err e;

	must(!answered);
	answered = true;
	must(rh->status >= 200 && rh->status < 600);
	check_headers(rh);
	if (is_json_answer(rh)) {
		doc = jread_parse_envelope(rh->answer.data, rh->answer.len, &e);
		must(doc != NULL);
		json_object_put(doc);
	}
	request_free(rh);
}

/* ---- who asks, and about whom ------------------------------------------------------------ */

bool __wrap_identity_loaded(const struct identity *i);
bool __wrap_identity_loaded(const struct identity *i)
{
	(void)i;
	return true;
}

const struct user_row *__wrap_identity_user(const struct identity *i, const char *name);
const struct user_row *__wrap_identity_user(const struct identity *i, const char *name)
{
	(void)i;
	return strcmp(name, admin.name) == 0 ? &admin : NULL;
}

const struct key_row *__wrap_identity_key(const struct identity *i,
					  const struct token_hash *hash);
const struct key_row *__wrap_identity_key(const struct identity *i,
					  const struct token_hash *hash)
{
	(void)i;
	return token_hash_equal(hash, &key.hash) ? &key : NULL;
}

bool __wrap_roster_loaded(const struct roster *r);
bool __wrap_roster_loaded(const struct roster *r)
{
	(void)r;
	return true;
}

bool __wrap_mirror_hears(const struct mirror *m);
bool __wrap_mirror_hears(const struct mirror *m)
{
	(void)m;
	return true;
}

/* w1 is connected, w2 is not. */
void __wrap_mirror_get(const struct mirror *m, const struct worker_id *id,
		       struct presence *out);
void __wrap_mirror_get(const struct mirror *m, const struct worker_id *id, struct presence *out)
{
	(void)m;
	*out = (struct presence){.worker = *id};
	if (strcmp(id->text, "w1") == 0)
		out->state = PRESENCE_ONLINE;
}

/* ---- the request ------------------------------------------------------------------------- */

static char *with_session(const char *value)
{
	const char *at = strstr(value, "JWT");
	struct buf out;

	buf_init(&out, 65536);
	if (at == NULL)
		buf_add_str(&out, value);
	else
		buf_printf(&out, "%.*s%s%s", (int)(at - value), value, session, at + 3);
	must(!out.failed);
	return out.data != NULL ? buf_take(&out, NULL) : text_of("", 0);
}

static void read_headers(struct input *in)
{
	headers_len = 0;
	while (input_left(in) > 0) {
		char *line = input_line(in), *colon = strchr(line, ':');

		if (*line == '\0') {
			free(line);
			break;
		}
		if (colon != NULL && headers_len < HEADERS_MAX && strlen(line) < 8192) {
			*colon = '\0';
			headers[headers_len].name = text_of(line, strlen(line));
			headers[headers_len++].value =
				with_session(colon + 1 + strspn(colon + 1, " "));
		}
		free(line);
	}
}

static void free_headers(void)
{
	for (size_t i = 0; i < headers_len; i++) {
		free(headers[i].name);
		free(headers[i].value);
	}
	headers_len = 0;
}

static bool header_has(const char *name, const char *text)
{
	const char *value = __wrap_request_header(NULL, name);

	return value != NULL && strstr(value, text) != NULL;
}

/* Nobody has a right who has not shown the session or the key; and what a page of somebody
 * else's makes a browser send changes nothing. */
static void check_rights(const struct request_http *rh)
{
	const struct route *route = rh->match.route;
	const bool bearer =
		header_has("Authorization", session) || header_has("Authorization", KEY);

	if (rh->early.code != ERR_OK || route->need == SCOPE_OPEN)
		return;
	must(rh->rq.who.name[0] != '\0' && rh->rq.who.scopes != 0);
	must(bearer || header_has("Cookie", session));
	must(bearer || route->method == HTTP_GET ||
	     __wrap_request_header(NULL, "Origin") != NULL);
}

/* Only a proxy that is trusted says where a request comes from. */
static void check_origin(const struct request_http *rh, bool by_proxy)
{
	must(strlen(rh->rq.address) > 0);
	must(by_proxy || strcmp(rh->rq.address, "192.0.2.1") == 0);
	must(by_proxy || !rh->rq.secure);
}

static void become_admin(struct request_http *rh)
{
	if (rh->early.code != ERR_UNAUTHENTICATED && rh->early.code != ERR_FORBIDDEN)
		return;
	rh->early = (struct err){0};
	rh->rq.who =
		(struct principal){.name = "admin",
				   .scopes = SCOPES_ADMIN | SCOPE_SIGNED_IN | SCOPE_SESSION,
				   .role = ROLE_ADMIN,
				   .ver = 1};
}

static void handle(const char *method, const char *target, struct input *body)
{
	struct request_http *rh = request_new(NULL, &app, target);
	const bool by_proxy = headers_len % 2 == 1;

	must(rh != NULL);
	rh->serves = HTTP_SERVES_REST;
	snprintf(rh->method_text, sizeof(rh->method_text), "%s", method);
	snprintf(rh->rq.address, sizeof(rh->rq.address), "%s",
		 by_proxy ? "10.1.2.3" : "192.0.2.1");
	request_begin(rh);
	check_rights(rh);
	check_origin(rh, by_proxy);
	become_admin(rh);
	/* Reads nothing of a request, and needs parts that are not here. */
	if (rh->early.code == ERR_OK && rh->match.route->handler == rest_readyz) {
		request_free(rh);
		return;
	}
	rh->upload_len = input_left(body);
	if (rh->upload_len <= rh->body_max)
		buf_add(&rh->upload, body->at, rh->upload_len);
	answered = false;
	request_handle(rh);
	run_laters();
	must(answered);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct claims claims = {.sub = "admin",
				      .role = ROLE_ADMIN,
				      .jti = "0123456789abcdef0123456789abcdef",
				      .ver = 1,
				      .iat_s = 1795450000,
				      .exp_s = INT64_C(32503680000)};

	(void)argc;
	(void)argv;
	must(sodium_init() >= 0 && clearenv() == 0);
	must(setenv("ROLLCALL_JWT_SECRET", SECRET, 1) == 0);
	must(setenv("ROLLCALL_TRUSTED_PROXIES", PROXIES, 1) == 0);
	log_set_sink(quiet);
	session = jwt_issue(SECRET, &claims);
	must(session != NULL && key_hash(KEY, &key.hash));
	key.scopes = SCOPE_READ;
	snprintf(key.name, sizeof(key.name), "script");
	start_parts();
	add_worker("w1", WORKER_ACTIVE);
	add_worker("w2", WORKER_REVOKED);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = input_of(data, len);
	char *line = input_line(&in), *target = strchr(line, ' ');

	read_headers(&in);
	if (target != NULL) {
		*target++ = '\0';
		handle(line, target, &in);
	}
	free_headers();
	free(line);
	return 0;
}
