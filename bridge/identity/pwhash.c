// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/pwhash.h"

#include "bridge/app.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of no password that anybody knows, with the cost of a real one: without it, the time of an
 * answer would tell which users exist. */
static const char nobodys_hash[crypto_pwhash_STRBYTES] =
	"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

struct pwhash {
	struct backstage *backstage;
};

bool pwhash_make(const char *password, char out[crypto_pwhash_STRBYTES])
{
	return crypto_pwhash_str(out, password, strlen(password),
				 crypto_pwhash_OPSLIMIT_INTERACTIVE,
				 crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0;
}

static enum pwhash_outcome check(const struct pwhash_job *job)
{
	const char *hash = *job->hash != '\0' ? job->hash : nobodys_hash;

	errno = 0;
	if (crypto_pwhash_str_verify(hash, job->password, strlen(job->password)) == 0)
		return hash == job->hash ? PWHASH_OK : PWHASH_DIFFERS;
	/* Short of memory is not the same as wrong. */
	return errno == ENOMEM ? PWHASH_FAILED : PWHASH_DIFFERS;
}

static void work(void *arg)
{
	struct pwhash_job *job = arg;

	if (job->check)
		job->outcome = check(job);
	else
		job->outcome =
			pwhash_make(job->password, job->hash) ? PWHASH_OK : PWHASH_FAILED;
}

static void on_worked(void *arg)
{
	struct pwhash_job *job = arg;

	job->done(job->arg);
}

void pwhash_submit(struct pwhash *p, struct pwhash_job *job)
{
	job->outcome = PWHASH_FAILED; /* unless it is worked on */
	job->job = (struct backstage_job){.work = work, .done = on_worked, .arg = job};
	backstage_submit(p->backstage, job->first ? BACKSTAGE_FRONT : BACKSTAGE_BACK,
			 &job->job);
}

struct pwhash *pwhash_new(struct app *app, struct err *e)
{
	struct pwhash *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	p->backstage = backstage_new(app->loop, "passwords", e);
	if (p->backstage != NULL)
		return p;
	pwhash_free(p);
	return NULL;
}

void pwhash_close(struct pwhash *p)
{
	backstage_close(p->backstage);
}

void pwhash_free(struct pwhash *p)
{
	if (p == NULL)
		return;
	backstage_free(p->backstage);
	free(p);
}
