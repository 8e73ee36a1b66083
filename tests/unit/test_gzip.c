// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/gzip.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static void who_takes_gzip(void **state)
{
	static const char *const yes[] = {
		"gzip",
		"GZIP",
		"x-gzip",
		"gzip, deflate, br",
		"br, gzip",
		"br;q=1, gzip;q=0.001",
		"gzip;q=1",
		"gzip ; q=0.5",
		"*",
		"br, *;q=0.1",
		"identity, gzip",
		",,gzip",
		"gzip;q=1.000",
		"*;q=0, gzip",
		"deflate,\tgzip",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (!gzip_accepted(yes[i]))
			fail_msg("refused by '%s'", yes[i]);
}

static void who_does_not(void **state)
{
	static const char *const no[] = {
		"",           "identity",    "br",      "gzip;q=0",       "gzip;q=0.000",
		"gzip; q=0 ", "gzip;q=0, *", "*;q=0",   "br, gzip;Q=0.0", "gzipped",
		"xgzip",      "pregzip, br", "deflate", "gzip;q=0,br",    ";gzip",
		" ",          "x;y=gzip",    ",",
	};

	(void)state;
	assert_false(gzip_accepted(NULL));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (gzip_accepted(no[i]))
			fail_msg("accepted by '%s'", no[i]);
}

static void unpack(const struct buf *packed, char *out, size_t len)
{
	z_stream z = {.next_in = (Bytef *)packed->data,
		      .avail_in = (uInt)packed->len,
		      .next_out = (Bytef *)out,
		      .avail_out = (uInt)len + 1};

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, len);
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
}

static void what_is_packed_comes_out_again(void **state)
{
	static const size_t sizes[] = {1, 1024, 100000, 5000000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (unsigned spread = 1; spread < 256; spread *= 6) {
			char *data = test_malloc(sizes[i]), *out = test_malloc(sizes[i] + 1);
			struct buf packed;

			srand(spread);
			for (size_t at = 0; at < sizes[i]; at++)
				data[at] = (char)((unsigned)rand() % spread);
			buf_init(&packed, sizes[i] * 2 + 1000);
			gzip_pack(data, sizes[i], &packed);
			assert_false(packed.failed);
			unpack(&packed, out, sizes[i]);
			assert_memory_equal(data, out, sizes[i]);
			buf_fini(&packed);
			test_free(data);
			test_free(out);
		}
}

static void what_has_no_room_fails(void **state)
{
	const char data[2000] = "?";
	struct buf packed;

	(void)state;
	buf_init(&packed, 100);
	gzip_pack(data, sizeof(data), &packed);
	assert_true(packed.failed);
	buf_fini(&packed);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(who_takes_gzip),
	cmocka_unit_test(who_does_not),
	cmocka_unit_test(what_is_packed_comes_out_again),
	cmocka_unit_test(what_has_no_room_fails),
};

UNIT_MAIN(tests)
