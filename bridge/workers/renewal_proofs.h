// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* renewal_proofs.h - what workers have shown of their new tokens: acknowledgements as they
 * come, and the plugin's proofs, which it also keeps for bridges that were away. Thread: loop.
 */
#pragma once

#include "protocol/err.h"

#include <stdbool.h>

struct app;
struct renewal_proofs;

/* `read` is called each time when all proofs of a broker that has been connected to are in the
 * database. */
struct renewal_proofs *renewal_proofs_new(struct app *app, void (*read)(void *arg), void *arg,
					  struct err *e) MUST_CHECK;
void renewal_proofs_free(struct renewal_proofs *p); /* NULL is fine */

/* False from a connect to the broker until then: some may not be known yet. */
bool renewal_proofs_read(const struct renewal_proofs *p);
