// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/base/config.h"

#include "bridge/identity/address.h"
#include "protocol/topics.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 4096
#define FILE_MAX ((size_t)256 * 1024)

enum option_type { OPTION_TEXT, OPTION_INT };

struct option {
	const char *name;
	enum option_type type;
	size_t offset;         /* in struct config */
	const char *otherwise; /* the default, as text */
	int64_t min, max;      /* of the number, or of the text's length */
	bool secret;           /* may come from NAME_FILE; never shown */
	const char *help;
};

#define TEXT(name, field, otherwise, min, max, help)                                           \
	{                                                                                      \
		"ROLLCALL_" name, OPTION_TEXT, offsetof(struct config, field), otherwise, min, \
			max, false, help                                                       \
	}
#define SECRET(name, field, min, help)                                                         \
	{                                                                                      \
		"ROLLCALL_" name, OPTION_TEXT, offsetof(struct config, field), "", min, 1024,  \
			true, help                                                             \
	}
#define INT(name, field, otherwise, min, max, help)                                            \
	{                                                                                      \
		"ROLLCALL_" name, OPTION_INT, offsetof(struct config, field), otherwise, min,  \
			max, false, help                                                       \
	}

static const struct option options[] = {
	TEXT("HTTP_BIND", http_bind, "127.0.0.1", 1, 255, "address on which REST is served"),
	INT("HTTP_PORT", http_port, "8080", 1, 65535, "port on which REST is served"),
	INT("METRICS_PORT", metrics_port, "0", 0, 65535,
	    "port for /metrics and /healthz alone, which REST then does not serve; 0: none"),
	TEXT("METRICS_BIND", metrics_bind, "127.0.0.1", 1, 255, "address of that port"),
	TEXT("TRUSTED_PROXIES", trusted_proxies, "", 0, 1024,
	     "addresses and networks, with commas between them, whose X-Forwarded-For and "
	     "X-Forwarded-Proto are believed; and who may have any number of connections"),
	TEXT("TLS_CERT", tls_cert, "", 0, 1024,
	     "file with the certificate and its chain (PEM): with it, HTTP is served over TLS "
	     "alone; read again on SIGHUP"),
	TEXT("TLS_KEY", tls_key, "", 0, 1024, "file with that certificate's key (PEM)"),
	INT("HSTS_SECONDS", hsts_s, "31536000", 0, 315360000,
	    "how long a browser that came by TLS must not come without (a header; 0: none)"),
	INT("HTTP_CONNECTIONS", http_connections, "4000", 10, 100000,
	    "open HTTP connections; further ones wait until one is closed"),
	INT("HTTP_CONNECTIONS_PER_ADDRESS", http_connections_per_address, "2000", 1, 100000,
	    "of these, from one address or IPv6 network of 64 bits; further ones are closed at "
	    "once"),
	INT("HTTP_HEADER_SECONDS", http_header_s, "10", 1, 3600,
	    "time for a TLS handshake and a request's header to come"),
	INT("HTTP_BODY_SECONDS", http_body_s, "60", 1, 3600, "time for its body to come"),
	INT("HTTP_ANSWER_SECONDS", http_answer_s, "60", 1, 3600,
	    "time to read an answer, or a piece of a stream; more by 16 KiB a second from 1 "
	    "MiB on"),
	INT("HTTP_IDLE_SECONDS", http_idle_s, "60", 1, 3600,
	    "time that a connection is kept open for the next request"),
	TEXT("DB_SOCKET", db_socket, "", 0, 107,
	     "MariaDB's Unix socket; takes precedence over the host"),
	TEXT("DB_HOST", db_host, "127.0.0.1", 0, 255, "MariaDB's host"),
	INT("DB_PORT", db_port, "3306", 1, 65535, "MariaDB's port"),
	TEXT("DB_NAME", db_name, "rollcall", 1, 64, "database"),
	TEXT("DB_USER", db_user, "rollcall", 1, 128, "database user"),
	SECRET("DB_PASSWORD", db_password, 0, "that user's password"),
	TEXT("DB_TLS_CA", db_tls_ca, "", 0, 1024,
	     "file with the CA of MariaDB's certificate (PEM): with it, the connection is "
	     "encrypted and the host's name checked"),
	TEXT("DB_TLS_CERT", db_tls_cert, "", 0, 1024,
	     "file with a certificate to show to MariaDB (PEM)"),
	TEXT("DB_TLS_KEY", db_tls_key, "", 0, 1024, "file with that certificate's key (PEM)"),
	INT("DB_POOL", db_pool, "4", 1, 64, "database connections for requests"),
	TEXT("BROKER_HOST", broker_host, "127.0.0.1", 1, 255, "Mosquitto's host"),
	INT("BROKER_PORT", broker_port, "1883", 1, 65535, "Mosquitto's port"),
	TEXT("BROKER_USER", broker_user, "rollcall-bridge", 1, 128,
	     "MQTT user; one of the plugin's control_users"),
	SECRET("BROKER_PASSWORD", broker_password, 0, "that user's password"),
	TEXT("BROKER_TLS_CA", broker_tls_ca, "", 0, 1024,
	     "file with the CA of Mosquitto's certificate (PEM): with it, the connections are "
	     "encrypted and the host's name checked"),
	TEXT("BROKER_TLS_CERT", broker_tls_cert, "", 0, 1024,
	     "file with a certificate to show to Mosquitto (PEM)"),
	TEXT("BROKER_TLS_KEY", broker_tls_key, "", 0, 1024,
	     "file with that certificate's key (PEM)"),
	SECRET("JWT_SECRET", jwt_secret, 32,
	       "key that signs dashboard sessions; without one, sessions end with the process"),
	INT("SESSION_HOURS", session_hours, "12", 1, 720, "life of a dashboard session"),
	SECRET("ADMIN_PASSWORD", admin_password, 8,
	       "password of the first administrator, \"admin\", made when there are no users; "
	       "without one, a random one is printed once"),
	TEXT("WEBSOCKET_URL", websocket_url, "ws://127.0.0.1:9001", 1, 255,
	     "what workers connect to; \"/ws/{worker_id}\" is appended"),
	TEXT("MQTT_URL", mqtt_url, "", 0, 255,
	     "what workers connect to without WebSocket, for the dashboard's examples; empty: "
	     "they cannot"),
	TEXT("TOPIC_ROOT", topic_root, TOPIC_ROOT_DEFAULT, 1, TOPIC_ROOT_MAX,
	     "first level of the workers' topics; the plugin's topic_root must be the same"),
	INT("TOKEN_LIFE", token_life_s, "7776000", 1, 315360000,
	    "life of a worker token in seconds (90 days)"),
	INT("RENEWAL_WINDOW", renewal_window_s, "604800", 1, 315360000,
	    "seconds before its end from which on a token is renewed (7 days)"),
	INT("RENEWAL_OVERLAP", renewal_overlap_s, "86400", 1, 315360000,
	    "seconds that a replaced token works on, never past its own end (24 hours)"),
	INT("RENEWAL_TIMEOUT", renewal_timeout_s, "86400", 1, 315360000,
	    "seconds without an acknowledgement after which a renewal has failed (24 hours)"),
	INT("RENEWAL_RETRY", renewal_retry_s, "3600", 1, 315360000,
	    "seconds from a failed renewal to the next one"),
	INT("AUDIT_DAYS", audit_days, "365", 1, 36500, "how long audit rows are kept"),
	INT("TOMBSTONE_DAYS", tombstone_days, "400", 1, 36500,
	    "how long deleted workers and ended tokens are remembered; longer than any broker "
	    "is ever away"),
	INT("COMMAND_DAYS", command_days, "90", 1, 36500,
	    "how long commands are kept that have ended"),
	INT("RECONCILE", reconcile, "0", 0, 1,
	    "1: send the last start or stop again to a worker that comes back doing the "
	    "opposite"),
	INT("JOB_RENEWAL", job_renewal_s, "60", 1, 86400,
	    "seconds between two looks for tokens to renew"),
	INT("JOB_TOKEN_EXPIRY", job_token_expiry_s, "60", 1, 86400,
	    "seconds between two looks for tokens that have expired"),
	INT("JOB_COMMAND_EXPIRY", job_command_expiry_s, "5", 1, 86400,
	    "seconds between two looks for overdue commands"),
	INT("JOB_AUDIT_RETENTION", job_audit_retention_s, "3600", 1, 86400,
	    "seconds between two deletions of old audit rows"),
	INT("JOB_PURGE", job_purge_s, "3600", 1, 86400,
	    "seconds between two deletions of what is remembered no longer"),
	INT("JOB_METRICS_PARTITIONS", job_metrics_partitions_s, "3600", 1, 86400,
	    "seconds between two looks for days of metrics to be made or dropped"),
	INT("METRICS_DAYS", metrics_days, "30", 1, 3650,
	    "days for which metric reports are kept; older ones are not taken"),
	INT("METRICS_AHEAD_SECONDS", metrics_ahead_seconds, "300", 0, 86400,
	    "how far in the future a metric report's time may be: workers' clocks differ"),
	INT("EVENTS_KEPT", events_kept, "131072", 100, 10000000,
	    "newest events that are kept for those who listen and were away for a moment"),
	INT("DIRECTORY_FORCE", directory_force, "0", 0, 1,
	    "1: let a synchronisation drop more than half of the workers that the broker "
	    "knows"),
	INT("CORE_DUMPS", core_dumps, "0", 0, 1,
	    "1: a crash may leave an image of the memory, with all its secrets"),
	TEXT("LOG_LEVEL", log_level, "info", 1, 8,
	     "error, warn, info or debug; that of the file is read again on SIGHUP"),
	TEXT("LOG_FORMAT", log_format, "text", 1, 8, "text or json"),
};

static char **text_of(struct config *config, const struct option *o)
{
	return (char **)(void *)((char *)config + o->offset);
}

static int64_t *number_of(struct config *config, const struct option *o)
{
	return (int64_t *)(void *)((char *)config + o->offset);
}

static const struct option *find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
			return &options[i];
	return NULL;
}

static enum err_code set_number(struct config *config, const struct option *o,
				const char *value, struct err *e)
{
	char *end;
	intmax_t n;

	errno = 0;
	n = strtoimax(value, &end, 10);
	if (*value == '\0' || *end != '\0' || errno != 0 || n < o->min || n > o->max)
		return err_set(e, ERR_INVALID_REQUEST,
			       "%s: '%.40s' is not a number from %" PRId64 " to %" PRId64,
			       o->name, value, o->min, o->max);
	*number_of(config, o) = n;
	return ERR_OK;
}

static enum err_code set_text(struct config *config, const struct option *o, const char *value,
			      struct err *e)
{
	char **text = text_of(config, o);
	size_t len = strlen(value);
	char *copy;

	/* The default "" stands for "none", whatever the shortest real value is. */
	if ((len > 0 && (int64_t)len < o->min) || (len == 0 && o->min > 0 && !o->secret) ||
	    (int64_t)len > o->max)
		return err_set(e, ERR_INVALID_REQUEST,
			       "%s: must have %" PRId64 " to %" PRId64 " bytes, has %zu",
			       o->name, o->min, o->max, len);
	copy = strdup(value);
	if (copy == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (*text != NULL)
		sodium_memzero(*text, strlen(*text));
	free(*text);
	*text = copy;
	return ERR_OK;
}

static enum err_code set(struct config *config, const struct option *o, const char *value,
			 struct err *e)
{
	return o->type == OPTION_INT ? set_number(config, o, value, e)
				     : set_text(config, o, value, e);
}

/* A secret's file holds the value and perhaps the line feed that editors add. */
static enum err_code set_from_file(struct config *config, const struct option *o,
				   const char *path, struct err *e)
{
	char value[VALUE_MAX];
	FILE *f = fopen(path, "re");
	size_t len;
	enum err_code code;

	if (f == NULL)
		return err_set(e, ERR_INVALID_REQUEST, "%s_FILE: cannot read %.80s: %s",
			       o->name, path, strerror(errno));
	len = fread(value, 1, sizeof(value) - 1, f);
	fclose(f);
	if (len > 0 && value[len - 1] == '\n')
		len--;
	value[len] = '\0';
	if (strlen(value) != len)
		code = err_set(e, ERR_INVALID_REQUEST, "%s_FILE: %.80s contains a NUL byte",
			       o->name, path);
	else
		code = set(config, o, value, e);
	sodium_memzero(value, sizeof(value));
	return code;
}

/* Finds the option that NAME or NAME_FILE stands for. */
static const struct option *option_of(const char *name, size_t len, bool *from_file)
{
	const struct option *o = find(name, len);

	*from_file = false;
	if (o != NULL || len < 5 || memcmp(name + len - 5, "_FILE", 5) != 0)
		return o;
	o = find(name, len - 5);
	*from_file = true;
	return o != NULL && o->secret ? o : NULL;
}

static enum err_code read_line(struct config *config, char *line, struct err *e)
{
	char *name = line + strspn(line, " \t"), *equals = strchr(name, '=');
	const struct option *o;
	bool from_file;

	if (*name == '\0' || *name == '#')
		return ERR_OK;
	if (equals == NULL)
		/* Not a word of it: it may be a secret on the wrong line. */
		return err_set(e, ERR_INVALID_REQUEST, "is not NAME=value");
	o = option_of(name, (size_t)(equals - name), &from_file);
	if (o == NULL)
		return err_set(e, ERR_INVALID_REQUEST, "%.*s is not an option of the bridge",
			       (int)(equals - name), name);
	return from_file ? set_from_file(config, o, equals + 1, e)
			 : set(config, o, equals + 1, e);
}

static enum err_code read_lines(struct config *config, const char *path, char *text,
				struct err *e)
{
	int number = 0;

	e->code = ERR_OK;
	for (char *line = text; line != NULL && e->code == ERR_OK;) {
		char *next = strchr(line, '\n');
		struct err cause = {0};

		number++;
		line[strcspn(line, "\r\n")] = '\0';
		if (read_line(config, line, &cause) != ERR_OK)
			err_set(e, cause.code, "%.60s line %d: %s", path, number, cause.msg);
		line = next != NULL ? next + 1 : NULL;
	}
	return e->code;
}

/* Whole, so that no line is too long for it, and none ends early at a NUL. */
static enum err_code read_file(struct config *config, const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");
	char *text;
	size_t len;

	if (f == NULL)
		return err_set(e, ERR_INVALID_REQUEST, "cannot read %.120s: %s", path,
			       strerror(errno));
	text = malloc(FILE_MAX + 1);
	if (text == NULL) {
		fclose(f);
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	len = fread(text, 1, FILE_MAX + 1, f);
	fclose(f);
	if (len > FILE_MAX) {
		err_set(e, ERR_INVALID_REQUEST, "%.60s: has more than %zu bytes", path,
			FILE_MAX);
	} else {
		text[len] = '\0';
		if (strlen(text) != len)
			err_set(e, ERR_INVALID_REQUEST, "%.60s: contains a NUL byte", path);
		else
			read_lines(config, path, text, e);
	}
	sodium_memzero(text, len);
	free(text);
	return e->code;
}

/* Other ROLLCALL_ names in the environment are none of ours: the scripts that start the parts
 * share the prefix. An empty value counts as not set, which is how compose files pass "none".
 */
static enum err_code read_environment(struct config *config, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *o = &options[i];
		const char *value = getenv(o->name), *path = NULL;
		char name[80];
		enum err_code code = ERR_OK;

		snprintf(name, sizeof(name), "%s_FILE", o->name);
		if (o->secret)
			path = getenv(name);
		if (value != NULL && *value != '\0')
			code = set(config, o, value, e);
		else if (path != NULL && *path != '\0')
			code = set_from_file(config, o, path, e);
		if (code != ERR_OK)
			return code;
	}
	return ERR_OK;
}

static bool one_of(const char *value, const char *const words[])
{
	while (*words != NULL && strcmp(*words, value) != 0)
		words++;
	return *words != NULL;
}

static bool are_both(const char *a, const char *b)
{
	return (*a == '\0') == (*b == '\0');
}

static enum err_code check_tls(const struct config *c, struct err *e)
{
	static const char text[] = "%s: a certificate and its key go together";

	if (!are_both(c->tls_cert, c->tls_key))
		return err_set(e, ERR_INVALID_REQUEST, text,
			       "ROLLCALL_TLS_CERT, ROLLCALL_TLS_KEY");
	if (!are_both(c->broker_tls_cert, c->broker_tls_key))
		return err_set(e, ERR_INVALID_REQUEST, text,
			       "ROLLCALL_BROKER_TLS_CERT, ROLLCALL_BROKER_TLS_KEY");
	if (!are_both(c->db_tls_cert, c->db_tls_key))
		return err_set(e, ERR_INVALID_REQUEST, text,
			       "ROLLCALL_DB_TLS_CERT, ROLLCALL_DB_TLS_KEY");
	if (*c->broker_tls_cert != '\0' && *c->broker_tls_ca == '\0')
		return err_set(e, ERR_INVALID_REQUEST,
			       "ROLLCALL_BROKER_TLS_CA: is needed beside a certificate");
	if (*c->db_tls_cert != '\0' && *c->db_tls_ca == '\0')
		return err_set(e, ERR_INVALID_REQUEST,
			       "ROLLCALL_DB_TLS_CA: is needed beside a certificate");
	return ERR_OK;
}

/* What the table's numbers cannot say. */
static enum err_code check(const struct config *config, struct err *e)
{
	static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
	static const char *const formats[] = {"text", "json", NULL};

	if (!one_of(config->log_level, levels))
		return err_set(e, ERR_INVALID_REQUEST,
			       "ROLLCALL_LOG_LEVEL: must be error, warn, info or debug");
	if (!one_of(config->log_format, formats))
		return err_set(e, ERR_INVALID_REQUEST,
			       "ROLLCALL_LOG_FORMAT: must be text or json");
	if (!address_list_valid(config->trusted_proxies))
		return err_set(e, ERR_INVALID_REQUEST,
			       "ROLLCALL_TRUSTED_PROXIES: must be addresses or networks "
			       "(10.0.0.0/8) with commas between them");
	if (!topic_root_valid(config->topic_root))
		return err_set(e, ERR_INVALID_REQUEST,
			       "ROLLCALL_TOPIC_ROOT: '%.40s' cannot be the root of the "
			       "workers' topics",
			       config->topic_root);
	return check_tls(config, e);
}

enum err_code config_load(struct config *config, const char *file, struct err *e)
{
	*config = (struct config){0};
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (set(config, &options[i], options[i].otherwise, e) != ERR_OK)
			return e->code;
	if (file == NULL)
		file = getenv("ROLLCALL_CONFIG");
	if (file != NULL && *file != '\0' && read_file(config, file, e) != ERR_OK)
		return e->code;
	if (read_environment(config, e) != ERR_OK)
		return e->code;
	return check(config, e);
}

void config_fini(struct config *config)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		char **text = text_of(config, &options[i]);

		if (options[i].type != OPTION_TEXT || *text == NULL)
			continue;
		sodium_memzero(*text, strlen(*text));
		free(*text);
	}
	*config = (struct config){0};
}

void config_print(const struct config *config, struct buf *out)
{
	struct config copy = *config;

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *o = &options[i];

		buf_printf(out, "%s=", o->name);
		if (o->type == OPTION_INT)
			buf_printf(out, "%" PRId64, *number_of(&copy, o));
		else if (!o->secret)
			buf_add_str(out, *text_of(&copy, o));
		else if (**text_of(&copy, o) != '\0')
			buf_add_str(out, "********");
		buf_add_char(out, '\n');
	}
}

void config_help(struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *o = &options[i];

		buf_printf(out, "  %s%s\n      %s", o->name, o->secret ? " (or _FILE)" : "",
			   o->help);
		if (*o->otherwise != '\0')
			buf_printf(out, " [%s]", o->otherwise);
		buf_add_char(out, '\n');
	}
}

void config_help_markdown(struct buf *out)
{
	buf_add_str(out, "# Options of the bridge\n\n"
			 "<!-- made by `rollcall-bridge --help-markdown` -->\n\n"
			 "From the environment, or from a file of `NAME=value` lines "
			 "(`--config FILE` or\n"
			 "`ROLLCALL_CONFIG`); the environment takes precedence. A secret can "
			 "also be read from\n"
			 "the file that `NAME_FILE` names. `rollcall-bridge --check-config` "
			 "prints what is in\n"
			 "force, secrets masked.\n\n"
			 "| option | default | allowed | what |\n|---|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *o = &options[i];

		const char *tick = *o->otherwise != '\0' ? "`" : "";

		buf_printf(out, "| `%s` | %s%s%s | %" PRId64 " to %" PRId64 "%s | %s%s |\n",
			   o->name, tick, *tick != '\0' ? o->otherwise : "–", tick, o->min,
			   o->max, o->type == OPTION_TEXT ? " bytes" : "", o->help,
			   o->secret ? " (a secret: also `…_FILE`)" : "");
	}
}
