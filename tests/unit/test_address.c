// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/address.h"
#include "protocol/util.h"
#include "tests/unit/unit.h"

#define PROXIES "127.0.0.1, 10.0.0.0/8,fd00::/8"

static void lists_are_read_or_refused(void **state)
{
	static const char *const good[] = {"",          "127.0.0.1", " ::1 , 10.1.2.3/32",
					   "0.0.0.0/0", "::/0",      PROXIES};
	static const char *const bad[] = {"proxy",       "127.0.0.1/33", "::1/129", "10.0.0.0/",
					  "10.0.0.0/8x", "10.0.0.0/-1",  "1.2.3",   "::1,,::2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(address_list_valid(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(address_list_valid(bad[i]));
}

static void networks_are_compared_bit_by_bit(void **state)
{
	(void)state;
	assert_true(address_listed(PROXIES, "127.0.0.1"));
	assert_true(address_listed(PROXIES, "::ffff:127.0.0.1"));
	assert_false(address_listed(PROXIES, "127.0.0.2"));
	assert_true(address_listed(PROXIES, "10.255.0.1"));
	assert_false(address_listed(PROXIES, "11.0.0.1"));
	assert_true(address_listed(PROXIES, "fdab::1"));
	assert_false(address_listed(PROXIES, "fe00::1"));
	assert_true(address_listed("192.0.2.128/25", "192.0.2.129"));
	assert_false(address_listed("192.0.2.128/25", "192.0.2.127"));
	assert_false(address_listed("", "127.0.0.1"));
	assert_false(address_listed("0.0.0.0/0", "::1"));
	assert_true(address_listed("::/0", "192.0.2.1"));
	assert_false(address_listed(PROXIES, "nobody"));
}

static void only_proxies_are_believed(void **state)
{
	static const struct {
		const char *peer, *forwarded, *client;
	} rows[] = {
		{"192.0.2.1",        "198.51.100.7",                     "192.0.2.1"   },
		{"127.0.0.1",        "198.51.100.7",                     "198.51.100.7"},
		{"127.0.0.1",        NULL,                               "127.0.0.1"   },
		{"127.0.0.1",        "",                                 "127.0.0.1"   },
 /* What the client wrote itself stands before what the proxy added. */
		{"127.0.0.1",        "1.1.1.1, 198.51.100.7",            "198.51.100.7"},
		{"127.0.0.1",        "1.1.1.1, 198.51.100.7 , 10.0.0.9", "198.51.100.7"},
		{"127.0.0.1",        "10.0.0.8,10.0.0.9",                "10.0.0.8"    },
		{"127.0.0.1",        "198.51.100.7:4711",                "198.51.100.7"},
		{"127.0.0.1",        "[2001:db8::1]:4711",               "2001:db8::1" },
		{"127.0.0.1",        "2001:db8::1",                      "2001:db8::1" },
		{"::ffff:127.0.0.1", "198.51.100.7",                     "198.51.100.7"},
		{"127.0.0.1",        "1.1.1.1, unknown",                 "127.0.0.1"   },
		{"127.0.0.1",        "1.1.1.1, 'or 1=1, 10.0.0.9",       "10.0.0.9"    },
		{"127.0.0.1",        "1.1.1.1,,",                        "127.0.0.1"   },
		{"::ffff:192.0.2.1", "1.1.1.1",                          "192.0.2.1"   },
	};

	char out[ADDRESS_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		address_of_client(PROXIES, rows[i].peer, rows[i].forwarded, out);
		assert_string_equal(out, rows[i].client);
	}
	address_of_client("", "127.0.0.1", "1.1.1.1", out);
	assert_string_equal(out, "127.0.0.1");
}

static void a_place_is_an_address_or_a_network_of_64_bits(void **state)
{
	char a[ADDRESS_SIZE], b[ADDRESS_SIZE];

	(void)state;
	address_place("2001:db8:1:2:3:4:5:6", a);
	address_place("2001:db8:1:2:ffff::", b);
	assert_string_equal(a, b);
	address_place("2001:db8:1:3::", b);
	assert_string_not_equal(a, b);
	address_place("192.0.2.1", a);
	assert_string_equal(a, "192.0.2.1");
	address_place("", a);
	assert_string_equal(a, "");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(lists_are_read_or_refused),
	cmocka_unit_test(networks_are_compared_bit_by_bit),
	cmocka_unit_test(only_proxies_are_believed),
	cmocka_unit_test(a_place_is_an_address_or_a_network_of_64_bits),
};

UNIT_MAIN(tests)
