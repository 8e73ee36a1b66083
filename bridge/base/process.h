// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* process.h - what every program tells of itself: build, memory, processor time, open files.
 * Reads /proc/self. Thread: any. */
#pragma once

struct prom;

void process_expose(struct prom *p);
