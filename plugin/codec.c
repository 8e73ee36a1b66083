// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "plugin/codec.h"

#include <endian.h>
#include <string.h>

void enc_u8(struct buf *out, uint8_t value)
{
	buf_add(out, &value, 1);
}

void enc_i64_at(char *at, int64_t value)
{
	uint64_t bytes = htole64((uint64_t)value);

	memcpy(at, &bytes, sizeof(bytes));
}

void enc_i64(struct buf *out, int64_t value)
{
	uint64_t bytes = htole64((uint64_t)value);

	buf_add(out, &bytes, sizeof(bytes));
}

void enc_str(struct buf *out, const char *text)
{
	size_t len = strlen(text);

	if (len > UINT16_MAX) {
		out->failed = true;
		return;
	}
	enc_u8(out, (uint8_t)(len & 0xff));
	enc_u8(out, (uint8_t)(len >> 8));
	buf_add(out, text, len);
}

void enc_bytes(struct buf *out, const void *bytes, size_t len)
{
	buf_add(out, bytes, len);
}

void dec_begin(struct dec *d, const void *bytes, size_t len)
{
	d->at = bytes;
	d->end = d->at + len;
	d->failed = false;
}

void dec_bytes(struct dec *d, void *out, size_t len)
{
	if (d->failed || (size_t)(d->end - d->at) < len) {
		d->failed = true;
		memset(out, 0, len);
		return;
	}
	memcpy(out, d->at, len);
	d->at += len;
}

uint8_t dec_u8(struct dec *d)
{
	uint8_t value;

	dec_bytes(d, &value, 1);
	return value;
}

int64_t dec_i64(struct dec *d)
{
	uint64_t bytes;

	dec_bytes(d, &bytes, sizeof(bytes));
	return (int64_t)le64toh(bytes);
}

void dec_str(struct dec *d, char *out, size_t size)
{
	size_t len = dec_u8(d);

	len |= (size_t)dec_u8(d) << 8;
	if (len >= size) {
		d->failed = true;
		out[0] = '\0';
		return;
	}
	dec_bytes(d, out, len);
	out[d->failed ? 0 : len] = '\0';
}
