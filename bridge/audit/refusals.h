// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* refusals.h - refused logins of workers, as the plugin tells them, into the audit trail. Each
 * is told to one bridge (a shared subscription). Thread: loop. */
#pragma once

#include "protocol/err.h"

struct app;
struct refusals;

struct refusals *refusals_new(struct app *app, struct err *e) MUST_CHECK;
void refusals_free(struct refusals *r); /* NULL is fine */
