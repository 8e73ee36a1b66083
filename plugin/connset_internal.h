// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* connset_internal.h - what the files that keep connection objects share. */
#pragma once

#include "plugin/conn.h"

/* The object of a stub, which is in use from here on. `id` if it is known, else NULL. NULL: it
 * cannot be woken. */
struct conn *connset_use(struct connset *set, uint32_t number, const struct worker_id *id);

/* Frees the objects that nothing keeps in memory. */
void connset_free_idle(struct connset *set);
