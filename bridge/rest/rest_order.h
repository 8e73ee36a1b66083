// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* rest_order.h - a request that orders a command, and waits until it is sent or has ended. */
#pragma once

#include "bridge/http/http.h"
#include "bridge/store/store_command.h"

/* Has the command issued, and the request answered. `row`: what is asked for, but its id,
 * worker and who asks. `refused`: see command_issue(). `wait_s` 0: the answer does not wait for
 * the worker's. */
enum err_code order_begin(struct request *rq, const struct command_row *row,
			  const struct err *refused, int64_t wait_s, struct err *e) MUST_CHECK;

/* ?wait=, and no other parameter. */
enum err_code order_read_wait(const struct request *rq, int64_t *wait_s,
			      struct err *e) MUST_CHECK;

/* In this order: what does not exist, what never may, what cannot be known, what is not so.
 * With `queue` the worker may be away. */
enum err_code order_check(const struct request *rq, bool queue, struct err *e) MUST_CHECK;

/* What a state means, in words for people. */
const char *order_message(const struct command_standing *s, bool queue);
