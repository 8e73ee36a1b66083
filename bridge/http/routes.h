// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* routes.h - the route table, and the handlers that it names. */
#pragma once

#include "bridge/http/router.h"

extern const struct route routes[];
extern const size_t routes_len;

/* Where a route is served when operators have a port of their own. */
enum route_place { ROUTE_REST, ROUTE_OPERATORS, ROUTE_BOTH };
enum route_place route_place(const struct route *route);

/* rest_dashboard.c */
enum err_code rest_dashboard(struct request *rq, struct err *e);
enum err_code rest_dashboard_asset(struct request *rq, struct err *e);
enum err_code rest_dashboard_facts(struct request *rq, struct err *e);

/* rest_health.c */
enum err_code rest_livez(struct request *rq, struct err *e);
enum err_code rest_readyz(struct request *rq, struct err *e);

/* rest_healthz.c */
enum err_code rest_healthz(struct request *rq, struct err *e);

/* rest_prometheus.c */
enum err_code rest_prometheus(struct request *rq, struct err *e);

/* rest_openapi.c */
enum err_code rest_openapi(struct request *rq, struct err *e);

/* rest_auth.c */
enum err_code rest_login(struct request *rq, struct err *e);
enum err_code rest_me(struct request *rq, struct err *e);
enum err_code rest_logout(struct request *rq, struct err *e);
enum err_code rest_password(struct request *rq, struct err *e);

/* rest_user.c */
enum err_code rest_user_list(struct request *rq, struct err *e);
enum err_code rest_user_add(struct request *rq, struct err *e);
enum err_code rest_user_change(struct request *rq, struct err *e);
enum err_code rest_user_delete(struct request *rq, struct err *e);

/* rest_audit.c */
enum err_code rest_worker_events(struct request *rq, struct err *e);
enum err_code rest_audit(struct request *rq, struct err *e);

/* rest_key.c */
enum err_code rest_key_list(struct request *rq, struct err *e);
enum err_code rest_key_add(struct request *rq, struct err *e);
enum err_code rest_key_delete(struct request *rq, struct err *e);

/* rest_worker.c */
enum err_code rest_worker_create(struct request *rq, struct err *e);
enum err_code rest_worker_get(struct request *rq, struct err *e);
enum err_code rest_worker_change(struct request *rq, struct err *e);
enum err_code rest_worker_delete(struct request *rq, struct err *e);

/* rest_event.c */
enum err_code rest_events(struct request *rq, struct err *e);

/* rest_status.c */
enum err_code rest_worker_list(struct request *rq, struct err *e);
enum err_code rest_worker_status(struct request *rq, struct err *e);

/* rest_token.c */
enum err_code rest_token_rotate(struct request *rq, struct err *e);
enum err_code rest_token_renew(struct request *rq, struct err *e);
enum err_code rest_worker_revoke(struct request *rq, struct err *e);
enum err_code rest_worker_reinstate(struct request *rq, struct err *e);

/* rest_connection.c */
enum err_code rest_connection_get(struct request *rq, struct err *e);
enum err_code rest_session_kick(struct request *rq, struct err *e);

/* rest_send.c */
enum err_code rest_worker_send(struct request *rq, struct err *e);

/* rest_command.c */
enum err_code rest_worker_start(struct request *rq, struct err *e);
enum err_code rest_worker_stop(struct request *rq, struct err *e);
enum err_code rest_command_create(struct request *rq, struct err *e);

/* rest_commands.c */
enum err_code rest_command_list(struct request *rq, struct err *e);
enum err_code rest_command_get(struct request *rq, struct err *e);
enum err_code rest_command_cancel(struct request *rq, struct err *e);

/* rest_batch.c */
enum err_code rest_batch_create(struct request *rq, struct err *e);
enum err_code rest_batch_get(struct request *rq, struct err *e);
enum err_code rest_batch_cancel(struct request *rq, struct err *e);

/* rest_metric.c */
enum err_code rest_metrics_latest(struct request *rq, struct err *e);
enum err_code rest_metrics_history(struct request *rq, struct err *e);
