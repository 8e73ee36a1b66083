// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* dirsync.h - one full replacement of the directory, from beginSync to endSync.
 *
 * It remembers which workers were mentioned, and at the end drops the others, in slices of a
 * turn's length. One at a time, bound to the client that began it; it lapses when that client
 * goes, or says nothing for ten seconds. Thread: the broker's.
 */
#pragma once

#include "plugin/control.h"

#define SYNC_ID_LEN 16

struct dirsync *dirsync_new(void);
void dirsync_free(struct dirsync *s); /* NULL is fine */

/* ERR_CONFLICT while another client's is under way. *sync_id is borrowed. */
enum err_code dirsync_begin(struct dirsync *s, struct control *c, const void *client,
			    const char *epoch, int64_t snapshot_n, const char **sync_id,
			    struct err *e) MUST_CHECK;

/* ERR_SYNC_MISMATCH unless this client's synchronisation of this id is under way. */
enum err_code dirsync_check(struct dirsync *s, const void *client, const char *sync_id,
			    struct err *e) MUST_CHECK;

/* A worker was put in the synchronisation that is under way. */
enum err_code dirsync_mention(struct dirsync *s, const struct worker_id *id,
			      struct err *e) MUST_CHECK;

/* Starts the end: the answer goes to the call's route when all is done and durable. */
enum err_code dirsync_end(struct dirsync *s, struct control_call *call, int64_t count,
			  bool force) MUST_CHECK;

void dirsync_client_gone(struct dirsync *s, const void *client);

/* A slice of the work. True if there is more. */
bool dirsync_tick(struct dirsync *s, struct control *c, int64_t now_us);

/* What a change of a directory entry means for the worker's sessions. */
void dirsync_enforce(struct control *c, const struct dir_entry *before,
		     const struct dir_entry *entry);
