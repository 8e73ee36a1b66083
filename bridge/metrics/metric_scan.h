// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* metric_scan.h - the quick way to read metric reports: without a tree of objects, in one go.
 *
 * It takes plain messages only: flat reports with keys and texts of printable ASCII and numbers
 * that fit. Whatever is rarer, and everything that is wrong, it leaves to the thorough way in
 * metric_report.c, with which it agrees about the rest. Pure.
 */
#pragma once

#include "bridge/metrics/metric_report.h"

/* True: *list is all there is in the message, in its order, and has to be freed. False: read it
 * the thorough way; *list is NULL. */
bool metric_scan(const struct metric_source *from, const char *text, size_t len,
		 struct metric_report **list) MUST_CHECK;
