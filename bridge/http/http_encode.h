// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* http_encode.h - answers in gzip, for clients that take it. For respond.c alone. Thread: loop.
 */
#pragma once

#include "bridge/http/http_request.h"

/* Compresses an answer that is complete but for its Content-Encoding, or leaves it as it is,
 * and sends it: at once or, where it is large, once another thread is done. */
void http_encode(struct request_http *rh);
