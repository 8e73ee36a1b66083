// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* heartbeat.h - what a plugin says of itself twice a second. Pure. */
#pragma once

#include "protocol/digest.h"

struct heartbeat {
	struct presence_pos pos; /* of the last event that it has published */
	int64_t clock_us;        /* its monotonic clock; 0: not said */
	bool has_digest;         /* older plugins prove nothing */
	struct digest digest;    /* of all its objects, as of pos */
};

enum err_code heartbeat_parse(const char *payload, size_t len, struct heartbeat *out,
			      struct err *e) MUST_CHECK;
