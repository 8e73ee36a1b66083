// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/packer.h"

#include "bridge/app.h"
#include "bridge/http/gzip.h"

#include <stdlib.h>

#define WAITING_MAX 8

struct packer {
	struct backstage *backstage;
	unsigned waiting; /* jobs that are not done */
};

static void pack(void *arg)
{
	struct packer_job *job = arg;

	gzip_pack(job->data, job->len, &job->packed);
}

static void on_packed(void *arg)
{
	struct packer_job *job = arg;

	job->packer->waiting--;
	job->done(job->arg);
}

bool packer_submit(struct packer *p, struct packer_job *job)
{
	if (p == NULL || p->waiting >= WAITING_MAX)
		return false;
	p->waiting++;
	job->packer = p;
	job->job = (struct backstage_job){.work = pack, .done = on_packed, .arg = job};
	backstage_submit(p->backstage, BACKSTAGE_FRONT, &job->job);
	return true;
}

struct packer *packer_new(struct app *app, struct err *e)
{
	struct packer *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	p->backstage = backstage_new(app->loop, "compressing", e);
	if (p->backstage != NULL)
		return p;
	packer_free(p);
	return NULL;
}

void packer_free(struct packer *p)
{
	if (p == NULL)
		return;
	backstage_free(p->backstage);
	free(p);
}
