// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* reload.h - what SIGHUP does: the certificate for https and its key are read again, and the
 * log level of the configuration file. What cannot be read leaves everything as it was, and is
 * logged. Certificates towards broker and database are read at each connection anyway.
 *
 * Thread: loop. */
#pragma once

/* A loop_f; arg is the struct app. */
void reload(void *arg);
