// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* reports.h - metric reports with numbers, and what the bridge answers to them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define REPORT_BYTES_MAX 256

/* A report of this very moment; returns its length. */
size_t reports_render(char out[REPORT_BYTES_MAX], uint32_t seq);

/* Calls stored() for each number that a metrics/ack says is in the database. */
void reports_read_ack(const char *payload, size_t len, void (*stored)(void *arg, uint32_t seq),
		      void *arg);

/* Messages with acknowledgements so far, and those among them that rejected something. */
extern int64_t reports_acks, reports_rejections;
