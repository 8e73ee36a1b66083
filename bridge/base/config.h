// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* config.h - every option of the bridge: one table drives the environment, the file, --help,
 * --check-config and docs/reference/bridge-options.md.
 *
 * Order of precedence: environment, file, default. Read once, constant afterwards.
 */
#pragma once

#include "protocol/buf.h"
#include "protocol/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Texts are never NULL: an option without a value is "". */
struct config {
	char *http_bind;
	int64_t http_port;
	char *metrics_bind;
	int64_t metrics_port;     /* 0: /metrics and /healthz are served with REST */
	char *trusted_proxies;    /* address.h */
	char *tls_cert, *tls_key; /* files; "": http */
	int64_t hsts_s;           /* 0: not said */
	int64_t http_connections, http_connections_per_address;
	/* Seconds for each step of a request (http_peers.h). */
	int64_t http_header_s, http_body_s, http_answer_s, http_idle_s;
	int64_t core_dumps;
	char *db_socket; /* "": by host and port */
	char *db_host;
	int64_t db_port;
	char *db_name, *db_user, *db_password;
	char *db_tls_ca, *db_tls_cert, *db_tls_key; /* files; no CA: no TLS */
	int64_t db_pool;                            /* connections */
	char *broker_host;
	int64_t broker_port;
	char *broker_user, *broker_password;
	char *broker_tls_ca, *broker_tls_cert, *broker_tls_key; /* files; no CA: no TLS */
	char *jwt_secret;
	int64_t session_hours;
	int64_t events_kept;
	char *admin_password;
	char *websocket_url; /* without the "/ws/{worker_id}" */
	char *mqtt_url;
	char *topic_root;
	int64_t token_life_s;
	int64_t renewal_window_s, renewal_overlap_s, renewal_timeout_s, renewal_retry_s;
	int64_t audit_days, tombstone_days, command_days;
	/* Seconds from one run of a job to the next (bridge/jobs/jobs.c). */
	int64_t job_renewal_s, job_token_expiry_s;
	int64_t job_command_expiry_s, job_audit_retention_s, job_purge_s;
	int64_t job_metrics_partitions_s;
	int64_t metrics_days, metrics_ahead_seconds;
	int64_t reconcile; /* 1: on */
	int64_t directory_force;
	char *log_level, *log_format;
};

/* Reads file (NULL: $ROLLCALL_CONFIG, or none) and environment. On failure the message names
 * the option. config_fini() is fine after either. */
enum err_code config_load(struct config *config, const char *file, struct err *e) MUST_CHECK;
void config_fini(struct config *config); /* wipes the secrets */

/* "NAME=value" lines, secrets masked. */
void config_print(const struct config *config, struct buf *out);

/* The table for people: lines for --help, or the reference page. */
void config_help(struct buf *out);
void config_help_markdown(struct buf *out);
