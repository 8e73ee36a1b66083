// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/login_limit.h"

#include "bridge/identity/address.h"
#include "protocol/htab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The thread for passwords gets nowhere near as many failures in a minute. */
#define COUNTS_MAX 10000
#define WINDOW_US (LOGIN_WINDOW_S * INT64_C(1000000))
#define KEY_SIZE 160

/* Of a place, or of a user name at a place. */
struct count {
	char key[KEY_SIZE]; /* "PLACE" or "PLACE NAME" */
	int failures;
	int under_way;    /* of a place */
	int64_t began_us; /* of the minute that counts */
};

struct known {
	uint64_t pair; /* hash, with a seed that is different each time the bridge starts */
	int64_t used;
};

struct login_limit {
	struct htab counts;
	int under_way;
	struct known known[LOGINS_KNOWN];
	int64_t uses;
};

static uint64_t hash_count(const void *item)
{
	return htab_hash_str(((const struct count *)item)->key);
}

static bool has_key(const void *item, const void *key)
{
	return strcmp(((const struct count *)item)->key, key) == 0;
}

static void place_key(const char *address, char key[KEY_SIZE])
{
	char place[ADDRESS_SIZE];

	address_place(address, place);
	snprintf(key, KEY_SIZE, "%s", place);
}

static void pair_key(const char *name, const char *address, char key[KEY_SIZE])
{
	char place[ADDRESS_SIZE];

	address_place(address, place);
	snprintf(key, KEY_SIZE, "%s %s", place, name);
}

static bool is_over(const struct count *c, int64_t now_us)
{
	return now_us - c->began_us >= WINDOW_US;
}

static struct count *find(const struct login_limit *l, const char *key)
{
	return htab_find(&l->counts, htab_hash_str(key), has_key, key);
}

/* Drops those that say nothing any more, into a new table: removing moves entries about. */
static void sweep(struct login_limit *l, int64_t now_us)
{
	struct htab kept;
	struct count *c;
	size_t pos = 0;

	htab_init(&kept, hash_count);
	while ((c = htab_next(&l->counts, &pos)) != NULL)
		if ((is_over(c, now_us) && c->under_way == 0) || !htab_add(&kept, c))
			free(c);
	htab_fini(&l->counts);
	l->counts = kept;
}

/* Finds or makes it, its minute begun anew if it was over. NULL: no room, so nothing counts. */
static struct count *get(struct login_limit *l, const char *key, int64_t now_us)
{
	struct count *c = find(l, key);

	if (c == NULL && l->counts.len >= COUNTS_MAX)
		sweep(l, now_us);
	if (c == NULL && l->counts.len < COUNTS_MAX && (c = calloc(1, sizeof(*c))) != NULL) {
		memcpy(c->key, key, strlen(key) + 1);
		c->began_us = now_us;
		if (!htab_add(&l->counts, c)) {
			free(c);
			c = NULL;
		}
	}
	if (c != NULL && is_over(c, now_us)) {
		c->failures = 0;
		c->began_us = now_us;
	}
	return c;
}

/* ---- who was here before ----------------------------------------------------------------- */

bool login_limit_knows(const struct login_limit *l, const char *name, const char *address)
{
	char key[KEY_SIZE];
	uint64_t pair;

	pair_key(name, address, key);
	pair = htab_hash_str(key);
	for (size_t i = 0; i < LOGINS_KNOWN; i++)
		if (l->known[i].used > 0 && l->known[i].pair == pair)
			return true;
	return false;
}

/* In the place of the same pair, or else of the one that was not used for longest. */
static void remember(struct login_limit *l, const char *key)
{
	const uint64_t pair = htab_hash_str(key);
	struct known *oldest = l->known;

	for (size_t i = 0; i < LOGINS_KNOWN; i++) {
		if (l->known[i].pair == pair) {
			oldest = &l->known[i];
			break;
		}
		if (l->known[i].used < oldest->used)
			oldest = &l->known[i];
	}
	*oldest = (struct known){pair, ++l->uses};
}

/* ---- an attempt -------------------------------------------------------------------------- */

static int64_t seconds_left(const struct count *c, int64_t now_us)
{
	return (c->began_us + WINDOW_US - now_us + 999999) / 1000000;
}

static bool crowded(const struct login_limit *l, const struct count *place)
{
	return l->under_way >= LOGINS_AT_ONCE ||
	       (place != NULL && place->under_way >= LOGINS_PER_PLACE);
}

int64_t login_limit_begin(struct login_limit *l, const char *name, const char *address,
			  int64_t now_us)
{
	const bool known = login_limit_knows(l, name, address);
	const struct count *pair;
	struct count *place;
	char key[KEY_SIZE];

	pair_key(name, address, key);
	pair = find(l, key);
	if (pair != NULL && !is_over(pair, now_us) && pair->failures >= LOGIN_FAILURES_MAX)
		return seconds_left(pair, now_us);
	place_key(address, key);
	place = get(l, key, now_us);
	if (!known && place != NULL && place->failures >= LOGIN_PLACE_FAILURES_MAX)
		return seconds_left(place, now_us);
	/* Those who are known have as much room again, so that strangers cannot take it all. */
	if (crowded(l, place) && (!known || l->under_way >= 2 * LOGINS_AT_ONCE ||
				  (place != NULL && place->under_way >= 2 * LOGINS_PER_PLACE)))
		return 1;
	l->under_way++;
	if (place != NULL)
		place->under_way++;
	return 0;
}

void login_limit_end(struct login_limit *l, const char *name, const char *address,
		     enum login_outcome outcome, int64_t now_us)
{
	char place_of[KEY_SIZE], pair_of[KEY_SIZE];
	struct count *place, *pair;

	place_key(address, place_of);
	pair_key(name, address, pair_of);
	l->under_way--;
	place = find(l, place_of);
	if (place != NULL && place->under_way > 0)
		place->under_way--;
	if (outcome == LOGIN_FITS) {
		pair = find(l, pair_of);
		if (pair != NULL)
			pair->failures = 0;
		remember(l, pair_of);
	} else if (outcome == LOGIN_FAILS) {
		place = get(l, place_of, now_us);
		if (place != NULL)
			place->failures++;
		pair = get(l, pair_of, now_us);
		if (pair != NULL)
			pair->failures++;
	}
}

struct login_limit *login_limit_new(struct err *e)
{
	struct login_limit *l = calloc(1, sizeof(*l));

	if (l == NULL)
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
	else
		htab_init(&l->counts, hash_count);
	return l;
}

void login_limit_free(struct login_limit *l)
{
	struct count *c;
	size_t pos = 0;

	if (l == NULL)
		return;
	while ((c = htab_next(&l->counts, &pos)) != NULL)
		free(c);
	htab_fini(&l->counts);
	free(l);
}
