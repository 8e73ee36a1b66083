// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* key_use.h - when each API key was last used: noted in memory with each request, written to
 * the database at most once a minute for each key. What the last minute before a crash saw is
 * lost, which an answer about minutes can bear. Thread: loop. */
#pragma once

#include "protocol/err.h"

#include <stdint.h>

struct app;
struct key_use;

struct key_use *key_use_new(struct app *app, struct err *e) MUST_CHECK;
void key_use_free(struct key_use *u); /* NULL is fine */

void key_use_note(struct key_use *u, const char *id, int64_t now_ms);
int64_t key_use_last(const struct key_use *u, const char *id); /* 0: not here */

/* Writes those whose minute is over. Called now and then. */
void key_use_write(struct key_use *u, int64_t now_ms);
