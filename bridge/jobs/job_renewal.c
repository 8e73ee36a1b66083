// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* The scheduler's thread lists; the loop, which knows who is connected, does the rest. */
#include "bridge/jobs/job_renewal.h"

#include "bridge/app.h"
#include "bridge/store/store_life.h"
#include "bridge/workers/renewal.h"
#include "bridge/workers/token_change.h"

#include <stdlib.h>

#define CANDIDATES_MAX 50000 /* of one look; those that end first */

struct found {
	size_t len;
	struct life_candidate candidates[CANDIDATES_MAX];
};

enum err_code renewal_look(struct job_run *run, struct err *e)
{
	const struct life_spans spans = token_life_spans(run->config);
	struct found *found = malloc(sizeof(*found));

	if (found == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	if (store_life_candidates(run->db, &spans, run->now_ms, found->candidates,
				  CANDIDATES_MAX, &found->len, e) != ERR_OK) {
		free(found);
		return e->code;
	}
	run->handled = (int64_t)found->len;
	run->found = found;
	return ERR_OK;
}

void renewal_found(struct app *app, void *found)
{
	const struct found *f = found;

	for (size_t i = 0; i < f->len; i++)
		renewal_consider(app->renewals, &f->candidates[i]);
	free(found);
}
