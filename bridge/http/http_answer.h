// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* http_answer.h - one answer on its way out: its bytes, and the headers that every answer has.
 * For http.c alone. Thread: loop. */
#pragma once

#include "bridge/http/http_request.h"

#include <microhttpd.h>

/* Queues what the handler has answered. */
enum MHD_Result http_answer_send(struct request_http *rh);

/* Queues a 503: the handler still waits, but the bridge stops. Its answer, when it comes, will
 * find nobody. */
enum MHD_Result http_answer_goodbye(struct request_http *rh);
