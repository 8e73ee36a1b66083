// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* report.h - what a worker says of itself: its reported state, and its will's words. Payloads
 * are a stranger's: whatever is wrong with them is left out and changes nothing. */
#pragma once

#include "plugin/object.h"

/* Stores the payload of `workers/{id}/state`: a JSON object of at most REPORTED_MAX_BYTES.
 * Thread: the broker's. */
enum err_code report_state(struct store *s, const struct worker_id *id, const char *payload,
			   size_t len, struct err *e) MUST_CHECK;

/* The `reason` string of a will's payload, cut to fit. False if it has none. */
bool report_will_reason(const char *payload, size_t len, char out[PRESENCE_DETAIL_MAX + 1]);
