// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* connset_start.c - closes, before any client can connect, what an earlier life left open. */
#include "plugin/connset_internal.h"

#include "protocol/log.h"

#include <stdlib.h>
#include <string.h>

#define RESTART_PAGE 500

/* What may wait for a commit meanwhile: far below the store's limit. */
#define RESTART_WAITING_BYTES ((size_t)8 * 1024 * 1024)

struct restart_page {
	struct object objects[RESTART_PAGE];
	size_t len;
};

static void collect(void *arg, const char *key, size_t key_len, struct slice value)
{
	struct restart_page *page = arg;

	if (page->len == RESTART_PAGE)
		return;
	if (object_decode(key, key_len, value, &page->objects[page->len]))
		page->len++;
	else
		log_error("conn", "a stored object of %zu bytes is damaged", value.len);
}

static enum err_code restart_one(struct connset *set, const struct object *object,
				 bool was_shut_down, struct err *e)
{
	const struct presence *last = &object->last;
	struct conn *conn;

	if (last->state == PRESENCE_OFFLINE) {
		publish_retained(set->publish, last);
		return ERR_OK;
	}
	conn = connset_load(set, &last->worker);
	if (conn == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	/* What was in its grace period had ended already, for a reason that is known. */
	if (last->state == PRESENCE_RECONNECTING)
		TAILQ_INSERT_TAIL(&set->grace, conn, of_grace);
	conn_move(set, conn, PRESENCE_OFFLINE,
		  last->state == PRESENCE_RECONNECTING ? last->reason
		  : was_shut_down                      ? REASON_BROKER_SHUTDOWN
						       : REASON_BROKER_RESTART,
		  last->state == PRESENCE_RECONNECTING ? last->detail : NULL);
	connset_may_idle(set, conn);
	return ERR_OK;
}

/* The page's changes are in the journal afterwards, so a second crash finds them done. LMDB
 * takes them later: workers are about to come back and change the same records, and waiting for
 * a disk at every page would keep them out. */
static enum err_code keep_page(struct store *store, struct err *e)
{
	struct store_status status;

	store_flush(store, STORE_STORM);
	store_status(store, &status);
	if (status.code == ERR_OK && status.pending_bytes < RESTART_WAITING_BYTES)
		return ERR_OK;
	return store_sync(store, e);
}

enum err_code connset_restart(struct connset *set, bool was_shut_down, struct err *e)
{
	struct restart_page *page = malloc(sizeof(*page));
	char next[STORE_KEY_MAX + 1], after[STORE_KEY_MAX + 1];
	bool more = true, first = true;

	if (page == NULL)
		return err_set(e, ERR_OUT_OF_MEMORY, NULL);
	e->code = ERR_OK;
	while (more && e->code == ERR_OK) {
		page->len = 0;
		more = store_page(set->store, STORE_OBJECTS, first ? NULL : after, RESTART_PAGE,
				  collect, page, next);
		for (size_t i = 0; i < page->len && e->code == ERR_OK; i++)
			(void)(restart_one(set, &page->objects[i], was_shut_down, e) == ERR_OK);
		memcpy(after, next, sizeof(after));
		first = false;
		connset_free_idle(set);
		if (e->code == ERR_OK)
			(void)(keep_page(set->store, e) == ERR_OK);
	}
	free(page);
	/* They went out of a sum that they had never been in; now all are offline. */
	set->publish->digest = (struct digest){0};
	return e->code;
}
