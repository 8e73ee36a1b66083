// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* codec.h - how stored records become bytes: fixed-width little-endian numbers, strings with a
 * 16-bit length. Both directions have a sticky error, checked once at the end. */
#pragma once

#include "protocol/buf.h"

#include <stdint.h>

void enc_u8(struct buf *out, uint8_t value);
void enc_i64(struct buf *out, int64_t value);
void enc_i64_at(char *at, int64_t value);        /* eight bytes that are there already */
void enc_str(struct buf *out, const char *text); /* up to 65,535 bytes */
void enc_bytes(struct buf *out, const void *bytes, size_t len);

struct dec {
	const uint8_t *at, *end;
	bool failed; /* the record is shorter than what was read of it */
};

void dec_begin(struct dec *d, const void *bytes, size_t len);
uint8_t dec_u8(struct dec *d);
int64_t dec_i64(struct dec *d);
void dec_str(struct dec *d, char *out, size_t size); /* fails when it does not fit */
void dec_bytes(struct dec *d, void *out, size_t len);
