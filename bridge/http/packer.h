// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* packer.h - compresses large answers on a thread of its own: ten thousand rows take some 16
 * ms, and nobody else should wait for them. Thread: loop. */
#pragma once

#include "bridge/base/backstage.h"
#include "protocol/buf.h"

struct app;
struct packer;

struct packer *packer_new(struct app *app, struct err *e) MUST_CHECK;

/* What was taken is finished first. After whoever hands it jobs has stopped to. */
void packer_free(struct packer *p); /* NULL is fine */

/* Part of its owner, who keeps it until `done` was called, on the loop. */
struct packer_job {
	const char *data; /* to be compressed */
	size_t len;
	struct buf packed; /* empty; then gzip, or failed. The owner's */
	void (*done)(void *arg);
	void *arg;

	/* packer.c's. */
	struct packer *packer;
	struct backstage_job job;
};

/* False, and nothing happens: it has so much to do that to wait would take longer than to send
 * all bytes; or there is none (p is NULL). */
bool packer_submit(struct packer *p, struct packer_job *job) MUST_CHECK;
