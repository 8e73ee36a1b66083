// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* resolve.h - a host's address without waiting for it on the loop: the system's resolver may
 * take many seconds to say that it does not know a name. Thread: loop. */
#pragma once

#include "protocol/err.h"

struct loop;

#define ADDRESS_TEXT_MAX 64

/* `address` is numeric; NULL: the name is not known, or no answer could be sought. */
typedef void (*resolved_f)(void *arg, const char *address);

struct resolve;

/* Calls `done` once, later, with the nth of the host's addresses, counted round and round: a
 * name may have one address on which nobody listens. NULL: out of memory, or no thread to be
 * had. */
struct resolve *resolve_start(struct loop *loop, const char *host, unsigned nth,
			      resolved_f done, void *arg);

/* Whoever asked has lost interest: `done` will not be called. To be called at most once, and
 * not after `done` was. NULL is fine. */
void resolve_forget(struct resolve *r);
