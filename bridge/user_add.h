// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* user_add.h - `rollcall-bridge user add NAME --role ROLE`. */
#pragma once

struct config;

/* `words` are those after "user". Returns the exit status. */
int user_add_command(const struct config *config, char *const words[], int words_len);
