// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* A detached thread for each question: a resolver that hangs holds up neither the loop nor the
 * bridge's end, which only makes it forgotten. */
#include "bridge/mqtt/resolve.h"

#include "bridge/base/loop.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct resolve {
	struct loop *loop;
	char host[256];
	unsigned nth;
	char address[ADDRESS_TEXT_MAX]; /* "": not known */
	resolved_f done; /* loop thread only; NULL: forgotten after it was posted */
	void *arg;
	struct loop_post post;

	pthread_mutex_t lock; /* guards what follows, and that the loop still exists */
	bool posted, forgotten;
};

static void destroy(struct resolve *r)
{
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void on_posted(void *arg)
{
	struct resolve *r = arg;

	/* The thread may still be about to let go of the lock. */
	pthread_mutex_lock(&r->lock);
	pthread_mutex_unlock(&r->lock);
	if (r->done != NULL)
		r->done(r->arg, r->address[0] != '\0' ? r->address : NULL);
	destroy(r);
}

/* The nth of a list, counted round and round; NULL if it is empty. */
static const struct addrinfo *choose(const struct addrinfo *list, unsigned nth)
{
	const struct addrinfo *chosen = list;

	for (; nth > 0 && chosen != NULL; nth--)
		chosen = chosen->ai_next != NULL ? chosen->ai_next : list;
	return chosen;
}

static void look_up(struct resolve *r)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	const struct addrinfo *chosen;
	struct addrinfo *list = NULL;

	if (getaddrinfo(r->host, NULL, &hints, &list) != 0)
		return;
	chosen = choose(list, r->nth % 16);
	if (chosen == NULL || getnameinfo(chosen->ai_addr, chosen->ai_addrlen, r->address,
					  sizeof(r->address), NULL, 0, NI_NUMERICHOST) != 0)
		r->address[0] = '\0';
	freeaddrinfo(list);
}

static void *thread_main(void *arg)
{
	struct resolve *r = arg;
	bool forgotten;

	look_up(r);
	pthread_mutex_lock(&r->lock);
	forgotten = r->forgotten;
	if (!forgotten) {
		r->posted = true;
		r->post = (struct loop_post){.fn = on_posted, .arg = r};
		loop_post(r->loop, &r->post);
	}
	pthread_mutex_unlock(&r->lock);
	if (forgotten)
		destroy(r);
	return NULL;
}

struct resolve *resolve_start(struct loop *loop, const char *host, unsigned nth,
			      resolved_f done, void *arg)
{
	struct resolve *r = calloc(1, sizeof(*r));
	pthread_t thread;

	if (r == NULL)
		return NULL;
	r->loop = loop;
	r->nth = nth;
	r->done = done;
	r->arg = arg;
	snprintf(r->host, sizeof(r->host), "%s", host);
	pthread_mutex_init(&r->lock, NULL);
	if (pthread_create(&thread, NULL, thread_main, r) != 0) {
		destroy(r);
		return NULL;
	}
	pthread_detach(thread);
	return r;
}

void resolve_forget(struct resolve *r)
{
	if (r == NULL)
		return;
	pthread_mutex_lock(&r->lock);
	r->done = NULL;
	r->forgotten = !r->posted; /* what is posted already is freed by its post */
	pthread_mutex_unlock(&r->lock);
}
