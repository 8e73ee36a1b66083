// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* inbox.h - what workers publish, handed to the part of the bridge that it is for: a table.
 * Thread: loop. */
#pragma once

#include "protocol/err.h"

struct app;
struct inbox;

struct inbox *inbox_new(struct app *app, struct err *e) MUST_CHECK;
void inbox_free(struct inbox *inbox); /* NULL is fine */
