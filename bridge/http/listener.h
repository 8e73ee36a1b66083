// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* listener.h - a socket on which HTTP is served: any address that the system can resolve. */
#pragma once

#include "protocol/err.h"

#include <stdint.h>

/* A listening socket, not blocking; -1 and a message that names address and port. */
int listener_open(const char *address, int64_t port, struct err *e) MUST_CHECK;

/* How many connections to serve at once: up to `most`, but leaving open files for the rest of
 * the process. */
unsigned listener_room(unsigned most);
