// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* exposition.h - all figures of bridge and plugin as one page for Prometheus. Thread: loop. */
#pragma once

#include "protocol/buf.h"

#include <json-c/json.h>

struct app;

/* `stats`: the plugin's, NULL if it does not answer. */
void exposition_write(const struct app *app, struct json_object *stats, struct buf *out);
