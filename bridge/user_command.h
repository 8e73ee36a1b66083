// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* user_command.h - `rollcall-bridge user add | list | set-password | set-role | delete`: users,
 * for whoever can read the database's password, also when nobody can sign in any more. Bridges
 * that run go by it within a second. */
#pragma once

struct config;

/* `words` are those after "user". Returns the exit status. */
int user_command(const struct config *config, char *const words[], int words_len);
