// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* schema.h - the migrations of schema/, as bridge/embed.sh puts them into the program. */
#pragma once

#include <stddef.h>

struct schema_file {
	const char *name; /* "0001_directory_state.sql" */
	const unsigned char *sql;
	size_t len;
};

extern const struct schema_file schema_files[]; /* in order of name */
extern const size_t schema_files_len;
