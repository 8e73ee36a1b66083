// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* migrate.h - brings the database to the shape that this program was built for. */
#pragma once

#include "protocol/err.h"

struct config;

/* Applies the files of schema/ that were not applied yet, in order, under a lock that keeps two
 * bridges from doing it at once. ERR_DATABASE_UNAVAILABLE: try again later; any other error is
 * for a person (a file that was applied has changed since; a statement fails). Blocks. */
enum err_code migrate(const struct config *config, struct err *e) MUST_CHECK;
