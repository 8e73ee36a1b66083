// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* dashboard_assets.h - the dashboard's files, as dashboard/embed.sh put them into the program.
 * They are in it rather than beside it: there is no path to be led astray with, and a bridge
 * always has the dashboard that was built with it. */
#pragma once

#include <stddef.h>

struct dashboard_file {
	const char *name; /* "index.html", or what stands behind /assets/ */
	const char *type; /* Content-Type */
	const unsigned char *plain, *gzip;
	size_t plain_len, gzip_len; /* gzip_len 0: it does not get smaller */
};

/* None, where the bridge was built without Node. */
extern const struct dashboard_file dashboard_files[];
extern const size_t dashboard_files_len;
