// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* engine_desired.h - keeps the roster's desired engine statuses current: orders that came by
 * another bridge are read once a second. (They change no worker's revision, for the plugin need
 * not know, and starts come far more often than changes of records.) Thread: loop. */
#pragma once

#include "protocol/err.h"

struct app;
struct engine_desired;

struct engine_desired *engine_desired_new(struct app *app, struct err *e) MUST_CHECK;
void engine_desired_free(struct engine_desired *d); /* NULL is fine */
