// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* audit.h - refused logins, as the plugin tells them, into the audit trail. While the database
 * is away they wait, up to a bound; what does not fit is counted. Thread: loop. */
#pragma once

#include "protocol/err.h"

struct app;
struct audit;

struct audit *audit_new(struct app *app, struct err *e) MUST_CHECK;
void audit_free(struct audit *a); /* NULL is fine */
