// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* health.h - how each part is, for GET /healthz. A part that is new gets a row in health.c.
 * Thread: loop. */
#pragma once

#include "protocol/buf.h"

#include <json-c/json.h>
#include <stdbool.h>

struct app;

/* What had to be waited for. */
struct health {
	const struct app *app;
	bool database;             /* it has answered just now */
	struct json_object *stats; /* the plugin's answer to getStats; NULL: none came */
};

/* Writes {"status","parts":{name:{"ok", …}}}. False if one of the parts is not well. */
bool health_write(const struct health *h, struct buf *out);
