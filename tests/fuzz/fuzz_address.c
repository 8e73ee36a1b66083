// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Three lines: proxies that are trusted, the peer's address, X-Forwarded-For. Nothing that a
 * request says about itself counts unless its peer is a proxy of the list. */
#include "bridge/identity/address.h"
#include "tests/fuzz/fuzz.h"

#include <arpa/inet.h>

static bool is_address(const char *text)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* Not through other text of it: "::ffff:1.2.3.4" is printed as "1.2.3.4". */
static void check_place(const char *address)
{
	char place[ADDRESS_SIZE], again[ADDRESS_SIZE];

	address_place(address, place);
	must(strlen(place) < ADDRESS_SIZE);
	must(is_address(place) == is_address(address) || strlen(address) >= ADDRESS_SIZE);
	address_place(place, again);
	must(strcmp(place, again) == 0);
}

static void check_client(const char *proxies, const char *peer, const char *forwarded)
{
	char alone[ADDRESS_SIZE], client[ADDRESS_SIZE];

	address_of_client(proxies, peer, NULL, alone);
	address_of_client(proxies, peer, forwarded, client);
	must(!is_address(peer) || is_address(client));
	if (!address_listed(proxies, peer))
		must(strcmp(alone, client) == 0);
	address_of_client("", peer, forwarded, client);
	must(strcmp(alone, client) == 0);
}

FUZZ_NEEDS_NOTHING_BEFORE

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = input_of(data, len);
	char *proxies = input_line(&in), *peer = input_line(&in), *forwarded = input_rest(&in);

	(void)address_list_valid(proxies);
	check_client(proxies, peer, forwarded);
	check_place(peer);
	if (is_address(peer)) {
		must(address_listed(peer, peer) && address_list_valid(peer));
		must(address_listed("0.0.0.0/0,::/0", peer));
	}
	free(proxies);
	free(peer);
	free(forwarded);
	return 0;
}
