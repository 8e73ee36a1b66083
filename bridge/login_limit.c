// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/login_limit.h"

#include "protocol/htab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whoever has so many addresses is not stopped by counting them. */
#define GUESSERS_MAX 10000
#define WINDOW_US (LOGIN_WINDOW_S * INT64_C(1000000))
#define KEY_SIZE 160

struct guesser {
	char key[KEY_SIZE]; /* address and user name */
	int failures;
	int64_t began_us; /* of the minute that counts */
};

struct login_limit {
	struct htab guessers;
	int under_way;
};

static uint64_t hash_guesser(const void *item)
{
	return htab_hash_str(((const struct guesser *)item)->key);
}

static bool has_key(const void *item, const void *key)
{
	return strcmp(((const struct guesser *)item)->key, key) == 0;
}

static struct guesser *find(struct login_limit *l, const char *name, const char *address,
			    char key[KEY_SIZE])
{
	snprintf(key, KEY_SIZE, "%s %s", address, name);
	return htab_find(&l->guessers, htab_hash_str(key), has_key, key);
}

static void drop(struct login_limit *l, struct guesser *g)
{
	htab_remove(&l->guessers, g);
	free(g);
}

/* Drops those whose minute is over, into a new table: removing moves entries about. */
static void sweep(struct login_limit *l, int64_t now_us)
{
	struct htab kept;
	struct guesser *g;
	size_t pos = 0;

	htab_init(&kept, hash_guesser);
	while ((g = htab_next(&l->guessers, &pos)) != NULL)
		if (now_us - g->began_us >= WINDOW_US || !htab_add(&kept, g))
			free(g);
	htab_fini(&l->guessers);
	l->guessers = kept;
}

static struct guesser *add(struct login_limit *l, const char *key, int64_t now_us)
{
	struct guesser *g;

	if (l->guessers.len >= GUESSERS_MAX)
		sweep(l, now_us);
	if (l->guessers.len >= GUESSERS_MAX || (g = calloc(1, sizeof(*g))) == NULL)
		return NULL;
	memcpy(g->key, key, KEY_SIZE);
	g->began_us = now_us;
	if (htab_add(&l->guessers, g))
		return g;
	free(g);
	return NULL;
}

int64_t login_limit_begin(struct login_limit *l, const char *name, const char *address,
			  int64_t now_us)
{
	char key[KEY_SIZE];
	struct guesser *g = find(l, name, address, key);

	if (g != NULL && now_us - g->began_us >= WINDOW_US) {
		drop(l, g);
		g = NULL;
	}
	if (g != NULL && g->failures >= LOGIN_FAILURES_MAX)
		return (g->began_us + WINDOW_US - now_us + 999999) / 1000000;
	if (l->under_way >= LOGINS_AT_ONCE)
		return 1;
	l->under_way++;
	return 0;
}

void login_limit_end(struct login_limit *l, const char *name, const char *address,
		     enum login_outcome outcome, int64_t now_us)
{
	char key[KEY_SIZE] = "";
	struct guesser *g = find(l, name, address, key);

	l->under_way--;
	if (outcome == LOGIN_FITS && g != NULL)
		drop(l, g);
	if (outcome != LOGIN_FAILS)
		return;
	if (g == NULL)
		g = add(l, key, now_us);
	if (g != NULL)
		g->failures++;
}

struct login_limit *login_limit_new(struct err *e)
{
	struct login_limit *l = calloc(1, sizeof(*l));

	if (l == NULL)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		htab_init(&l->guessers, hash_guesser);
	return l;
}

void login_limit_free(struct login_limit *l)
{
	struct guesser *g;
	size_t pos = 0;

	if (l == NULL)
		return;
	while ((g = htab_next(&l->guessers, &pos)) != NULL)
		free(g);
	htab_fini(&l->guessers);
	free(l);
}
