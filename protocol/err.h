// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* err.h - the one error type of plugin and bridge, and its one table.
 *
 * A function that can fail returns an enum err_code and fills a trailing struct err with a
 * message for people. Foreign codes (MDB_*, mysql_errno, MOSQ_ERR_*) are translated where they
 * arise and never travel further. See docs/adr/0005-error-type.md.
 */
#pragma once

#include "protocol/util.h"

/* X(name, HTTP status, default message). The name is also the stable code that REST bodies and
 * control answers carry, so a row is never renamed. */
#define ERR_LIST(X)                                                                            \
	X(INVALID_REQUEST, 400, "the request is not valid")                                    \
	X(UNAUTHENTICATED, 401, "sign in first")                                               \
	X(FORBIDDEN, 403, "not allowed")                                                       \
	X(NOT_FOUND, 404, "no such thing")                                                     \
	X(WORKER_NOT_FOUND, 404, "no such worker")                                             \
	X(METHOD_NOT_ALLOWED, 405, "this route does not know the method")                      \
	X(CONFLICT, 409, "it exists already or has changed meanwhile")                         \
	X(WORKER_NOT_CONNECTED, 409, "the worker is not connected")                            \
	X(WORKER_REVOKED, 409, "the worker is revoked")                                        \
	X(ENGINE_ALREADY_RUNNING, 409, "the engine is running or starting already")            \
	X(ENGINE_ALREADY_STOPPED, 409, "the engine is stopped already")                        \
	X(IDEMPOTENCY_CONFLICT, 409,                                                           \
	  "the worker has another command with this idempotency key")                          \
	X(COMMAND_NOT_CANCELLABLE, 409, "the command is accepted, or has ended")               \
	X(COMMAND_QUEUE_FULL, 409, "too many commands wait for this worker")                   \
	X(BATCH_ENDED, 409, "the batch has ended")                                             \
	X(NOT_CONNECTED, 409, "no live session matches")                                       \
	X(EPOCH_MISMATCH, 409, "the directory belongs to another epoch: synchronise first")    \
	X(SYNC_MISMATCH, 409, "no such synchronisation is open, or it lacks entries")          \
	X(SYNC_TOO_DESTRUCTIVE, 409,                                                           \
	  "would drop more than half of the directory: needs force")                           \
	X(PAYLOAD_TOO_LARGE, 413, "too large")                                                 \
	X(UNSUPPORTED_MEDIA_TYPE, 415, "the body must be application/json")                    \
	X(RATE_LIMITED, 429, "too many attempts")                                              \
	X(HEADERS_TOO_LARGE, 431, "the request's header is too large")                         \
	X(INTERNAL, 500, "internal error")                                                     \
	X(OUT_OF_MEMORY, 503, "out of memory")                                                 \
	X(STORE_UNAVAILABLE, 503, "the broker's storage is not writable")                      \
	X(DISK_FULL, 503, "the disk of the broker's storage is full")                          \
	X(DISK_ERROR, 503, "the disk of the broker's storage does not work")                   \
	X(STORAGE_FULL, 503, "the broker's storage has reached its ceiling")                   \
	X(BROKER_UNAVAILABLE, 503, "the broker cannot be reached")                             \
	X(DATABASE_UNAVAILABLE, 503, "the database cannot be reached")                         \
	X(COMMAND_TIMEOUT, 504, "the worker did not answer in time")

enum err_code {
	ERR_OK = 0,
#define X(name, http, text) ERR_##name,
	ERR_LIST(X)
#undef X
		ERR_CODES
};

struct err {
	enum err_code code;
	char msg[200];
};

/* Stores code and message (printf-like; NULL: the table's default text) and returns code, so
 * that `return err_set(e, ERR_…, …)` reads well. `e` may be NULL. Thread: any. */
enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* The stable code, e.g. "WORKER_NOT_FOUND"; "OK" for ERR_OK. Static string. */
const char *err_name(enum err_code code);

/* The HTTP status that goes with the code; 200 for ERR_OK. */
unsigned err_http_status(enum err_code code);
