// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* phases.h - what a run consists of, in order; each reports what it saw. */
#pragma once

#include <stdbool.h>

struct phase {
	bool (*wanted)(void);
	void (*run)(void);
};

extern const struct phase phases[];
extern const int phases_len;

/* SIGTERM and SIGINT: phases end early, and report. */
void phases_stop(int signal);
