// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/dirsync.h"

#include "plugin/proof.h"
#include "protocol/clock.h"
#include "protocol/log.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAPSE_US 10000000
#define SLICE_SCAN 500 /* entries looked at in a turn: about half a millisecond */
#define SLICE_DROP 50  /* entries dropped in a turn: each writes, and may close sessions */

enum phase { IDLE, OPEN, SCANNING, DROPPING };

struct dirsync {
	enum phase phase;
	const void *client;
	char id[SYNC_ID_LEN + 1];
	char epoch[EPOCH_MAX + 1];
	int64_t snapshot_n;
	int64_t lapses_us;
	int64_t held;          /* workers in the directory when it began */
	struct htab mentioned; /* struct worker_id */
	/* from endSync on */
	bool force;
	struct control_route route;
	char *correlation;
	char after[STORE_KEY_MAX + 1];
	struct worker_id *drop;
	size_t drop_len, drop_cap, dropped;
	bool drop_failed;
};

static uint64_t hash_id(const void *item)
{
	return htab_hash_str(((const struct worker_id *)item)->text);
}

static bool match_id(const void *item, const void *key)
{
	return worker_id_equal(item, key);
}

static bool is_mentioned(const struct dirsync *s, const struct worker_id *id)
{
	return htab_find(&s->mentioned, htab_hash_str(id->text), match_id, id) != NULL;
}

struct dirsync *dirsync_new(void)
{
	struct dirsync *s = calloc(1, sizeof(*s));

	if (s != NULL)
		htab_init(&s->mentioned, hash_id);
	return s;
}

static void reset(struct dirsync *s)
{
	struct worker_id *id;

	for (size_t pos = 0; (id = htab_next(&s->mentioned, &pos)) != NULL;)
		free(id);
	htab_fini(&s->mentioned);
	free(s->drop);
	free(s->correlation);
	*s = (struct dirsync){.phase = IDLE};
	htab_init(&s->mentioned, hash_id);
}

void dirsync_free(struct dirsync *s)
{
	if (s == NULL)
		return;
	reset(s);
	free(s);
}

/* Gives up: what was put stays, nothing is dropped. */
static void lapse(struct dirsync *s, struct control *c)
{
	if (s->phase == IDLE)
		return;
	log_warn("directory", "synchronisation %s was not finished", s->id);
	reset(s);
	c->directory->sync_epoch[0] = '\0';
}

enum err_code dirsync_begin(struct dirsync *s, struct control *c, const void *client,
			    const char *epoch, int64_t snapshot_n, const char **sync_id,
			    struct err *e)
{
	uint8_t random[SYNC_ID_LEN / 2];

	if (s->phase != IDLE && (s->client != client || s->phase != OPEN))
		return err_set(e, ERR_CONFLICT, "another synchronisation is under way");
	reset(s);
	s->phase = OPEN;
	s->client = client;
	s->snapshot_n = snapshot_n;
	s->held = c->directory->live;
	s->lapses_us = clock_mono_us() + LAPSE_US;
	snprintf(s->epoch, sizeof(s->epoch), "%s", epoch);
	memcpy(c->directory->sync_epoch, s->epoch, sizeof(s->epoch));
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(s->id, sizeof(s->id), random, sizeof(random));
	*sync_id = s->id;
	return ERR_OK;
}

enum err_code dirsync_check(struct dirsync *s, const void *client, const char *sync_id,
			    struct err *e)
{
	if (s->phase != OPEN || s->client != client || strcmp(s->id, sync_id) != 0)
		return err_set(e, ERR_SYNC_MISMATCH, "no such synchronisation is open");
	s->lapses_us = clock_mono_us() + LAPSE_US;
	return ERR_OK;
}

enum err_code dirsync_mention(struct dirsync *s, const struct worker_id *id, struct err *e)
{
	struct worker_id *copy;

	if (is_mentioned(s, id))
		return ERR_OK;
	copy = malloc(sizeof(*copy));
	if (copy == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	*copy = *id;
	if (!htab_add(&s->mentioned, copy)) {
		free(copy);
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	}
	return ERR_OK;
}

enum err_code dirsync_end(struct dirsync *s, struct control_call *call, int64_t count,
			  bool force)
{
	if ((size_t)count != s->mentioned.len)
		return err_set(call->e, ERR_SYNC_MISMATCH,
			       "count: %zu workers were put in this synchronisation",
			       s->mentioned.len);
	s->phase = SCANNING;
	s->force = force;
	s->route = *call->route;
	s->correlation = call->correlation != NULL ? strdup(call->correlation) : NULL;
	call->later = true;
	return ERR_OK;
}

void dirsync_client_gone(struct dirsync *s, const void *client)
{
	/* An end that was asked for is carried out; an open one lapses at the next tick. */
	if (s->phase == OPEN && s->client == client)
		s->lapses_us = 0;
}

/* ---- what follows from a change ---- */

void dirsync_enforce(struct control *c, const struct dir_entry *before,
		     const struct dir_entry *entry)
{
	proof_settle(c->store, entry);
	switch (entry->status) {
	case DIR_DELETED:
		conn_close_sessions(c->conns, &entry->id, REASON_DELETED, "WORKER_DELETED",
				    "this worker was deleted", NULL, NULL);
		if (before->status != DIR_DELETED)
			conn_forget(c->conns, &entry->id);
		return;
	case DIR_REVOKED:
		conn_close_sessions(c->conns, &entry->id, REASON_REVOKED, "WORKER_REVOKED",
				    "this worker was revoked", NULL, NULL);
		return;
	case DIR_ACTIVE:
	case DIR_UPDATE_REQUIRED:
		conn_tokens_changed(c->conns, before, entry);
		return;
	}
}

/* ---- the end, in slices ---- */

/* Entries that the synchronisation did not mention, and that it speaks for: of its own epoch up
 * to its snapshot, and all of older epochs. */
static void scan_one(void *arg, const char *key, size_t key_len, struct slice value)
{
	struct dirsync *s = arg;
	struct dir_entry entry;
	size_t cap = s->drop_cap;
	struct worker_id *grown;

	if (!dir_entry_decode(key, key_len, value, &entry) || entry.status == DIR_DELETED ||
	    is_mentioned(s, &entry.id) ||
	    (strcmp(entry.revision.epoch, s->epoch) == 0 && entry.revision.n > s->snapshot_n))
		return;
	if (s->drop_len == cap) {
		cap = cap == 0 ? 64 : cap * 2;
		grown = realloc(s->drop, cap * sizeof(*grown));
		if (grown == NULL) {
			s->drop_failed = true;
			return;
		}
		s->drop = grown;
		s->drop_cap = cap;
	}
	s->drop[s->drop_len++] = entry.id;
}

static void finish(struct dirsync *s, struct control *c, struct err *e)
{
	struct jwrite w;
	struct buf data;

	buf_init(&data, 256);
	if (e->code == ERR_OK && directory_set_epoch(c->directory, s->epoch, e) == ERR_OK) {
		if (c->directory->max_n < s->snapshot_n)
			c->directory->max_n = s->snapshot_n;
		jwrite_begin(&w, &data);
		jwrite_i64(&w, "dropped", (int64_t)s->dropped);
		log_info("directory", "in step: epoch=%.8s n=%lld workers=%lld dropped=%zu",
			 s->epoch, (long long)s->snapshot_n, (long long)c->directory->live,
			 s->dropped);
	}
	control_answer(c, &s->route, "endSync", s->correlation, &data, e, true);
	buf_fini(&data);
	reset(s);
	c->directory->sync_epoch[0] = '\0';
}

/* Says no, and leaves the synchronisation open: the client may end it with force. */
static void refuse(struct dirsync *s, struct control *c)
{
	struct err e;

	err_set(&e, ERR_SYNC_TOO_DESTRUCTIVE, "would drop %zu of %lld workers: needs force",
		s->drop_len, (long long)s->held);
	control_answer(c, &s->route, "endSync", s->correlation, NULL, &e, false);
	free(s->correlation);
	s->correlation = NULL;
	s->after[0] = '\0';
	s->drop_len = 0;
	s->phase = OPEN;
	s->lapses_us = clock_mono_us() + LAPSE_US;
}

static void scan(struct dirsync *s, struct control *c)
{
	char next[STORE_KEY_MAX + 1];
	struct err e = {0};

	if (store_page(c->store, STORE_DIRECTORY, s->after[0] != '\0' ? s->after : NULL,
		       SLICE_SCAN, scan_one, s, next)) {
		memcpy(s->after, next, sizeof(next));
		return;
	}
	if (s->drop_failed) {
		err_set(&e, ERR_OUT_OF_MEMORY, NULL);
		finish(s, c, &e);
	} else if (!s->force && s->drop_len * 2 > (size_t)s->held) {
		/* Of what was held before: what was put since must not make up for it. */
		refuse(s, c);
	} else {
		s->phase = DROPPING;
	}
}

static void drop_one(struct dirsync *s, struct control *c, const struct worker_id *id,
		     struct err *e)
{
	struct dir_entry tombstone = {
		.id = *id, .status = DIR_DELETED, .revision = {.n = s->snapshot_n}};
	struct dir_entry before;
	bool dropped;

	memcpy(tombstone.revision.epoch, s->epoch, sizeof(s->epoch));
	if (directory_drop(c->directory, &tombstone, &before, &dropped, e) != ERR_OK ||
	    !dropped)
		return;
	s->dropped++;
	dirsync_enforce(c, &before, &tombstone);
}

static void drop(struct dirsync *s, struct control *c)
{
	struct err e = {0};

	for (int i = 0; i < SLICE_DROP && s->drop_len > 0 && e.code == ERR_OK; i++)
		drop_one(s, c, &s->drop[--s->drop_len], &e);
	if (s->drop_len == 0 || e.code != ERR_OK)
		finish(s, c, &e);
}

bool dirsync_tick(struct dirsync *s, struct control *c, int64_t now_us)
{
	switch (s->phase) {
	case IDLE:
		return false;
	case OPEN:
		if (now_us > s->lapses_us)
			lapse(s, c);
		return false;
	case SCANNING:
		scan(s, c);
		return true;
	case DROPPING:
		drop(s, c);
		return true;
	}
	return false;
}
