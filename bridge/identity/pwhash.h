// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* pwhash.h - makes and checks password hashes (argon2id), on a thread of its own.
 *
 * A hash takes a tenth of a second and 64 MiB, on purpose. One at a time: more would buy a
 * stranger who guesses more of the machine, and on the database's threads they would hold up
 * everybody's requests. Thread: loop, but for pwhash_make(). */
#pragma once

#include "bridge/base/backstage.h"

#include <sodium.h>

struct app;
struct pwhash;

struct pwhash *pwhash_new(struct app *app, struct err *e) MUST_CHECK;

/* Finishes what was submitted; later jobs fail. Before whoever waits for them is freed. */
void pwhash_close(struct pwhash *p);
void pwhash_free(struct pwhash *p); /* NULL is fine */

enum pwhash_outcome {
	PWHASH_OK,      /* it fits; or it was made */
	PWHASH_DIFFERS, /* another password's hash */
	PWHASH_FAILED,  /* out of memory, or the bridge ends */
};

/* Part of its owner, who keeps it and the password until `done` was called, on the loop. */
struct pwhash_job {
	const char *password;
	bool check;                        /* against hash; else hash is made */
	bool first;                        /* before those of people never seen before */
	char hash[crypto_pwhash_STRBYTES]; /* "" to check: nobody's, which takes as long */
	enum pwhash_outcome outcome;
	void (*done)(void *arg);
	void *arg;

	/* pwhash.c's. */
	struct backstage_job job;
};

void pwhash_submit(struct pwhash *p, struct pwhash_job *job);

/* The hash of a password, at once. Any thread but the loop's. False: out of memory. */
bool pwhash_make(const char *password, char out[crypto_pwhash_STRBYTES]) MUST_CHECK;
