// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/identity/address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_SIZE 80
#define V4_BITS 96 /* before the IPv4 part of a mapped address */

/* IPv4 as ::ffff:a.b.c.d, so that there is one kind of address. */
struct ip {
	uint8_t bytes[16];
};

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool parse(const char *text, struct ip *out)
{
	if (inet_pton(AF_INET6, text, out->bytes) == 1)
		return true;
	memcpy(out->bytes, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, out->bytes + sizeof(mapped)) == 1;
}

static bool is_v4(const struct ip *ip)
{
	return memcmp(ip->bytes, mapped, sizeof(mapped)) == 0;
}

static void print(const struct ip *ip, char out[ADDRESS_SIZE])
{
	if (is_v4(ip))
		inet_ntop(AF_INET, ip->bytes + sizeof(mapped), out, ADDRESS_SIZE);
	else
		inet_ntop(AF_INET6, ip->bytes, out, ADDRESS_SIZE);
}

/* Copies [text, text + len) without the blanks around it. False: too long, or nothing. */
static bool trim(const char *text, size_t len, char out[ENTRY_SIZE])
{
	while (len > 0 && (*text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	if (len == 0 || len >= ENTRY_SIZE)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

/* "10.0.0.0/8" or an address alone. */
static bool parse_network(char *entry, struct ip *ip, unsigned *bits)
{
	char *slash = strchr(entry, '/'), *end;
	unsigned long given;
	unsigned most;

	if (slash != NULL)
		*slash = '\0';
	if (!parse(entry, ip))
		return false;
	most = strchr(entry, ':') != NULL ? 128 : 32;
	given = most;
	if (slash != NULL) {
		given = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || given > most)
			return false;
	}
	*bits = (unsigned)given + (most == 32 ? V4_BITS : 0);
	return true;
}

static bool same_bits(const struct ip *a, const struct ip *b, unsigned bits)
{
	const unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(a->bytes, b->bytes, bytes) != 0)
		return false;
	return rest == 0 || ((a->bytes[bytes] ^ b->bytes[bytes]) & (0xff00u >> rest)) == 0;
}

/* The next entry of a list; false at its end. *ok is false for one that cannot be read. */
static bool next_network(const char **list, struct ip *ip, unsigned *bits, bool *ok)
{
	char entry[ENTRY_SIZE];
	const size_t len = strcspn(*list, ",");

	if (**list == '\0')
		return false;
	*ok = trim(*list, len, entry) && parse_network(entry, ip, bits);
	*list += len + ((*list)[len] == ',' ? 1 : 0);
	return true;
}

bool address_list_valid(const char *list)
{
	struct ip ip;
	unsigned bits;
	bool ok;

	while (next_network(&list, &ip, &bits, &ok))
		if (!ok)
			return false;
	return true;
}

static bool ip_listed(const char *list, const struct ip *address)
{
	struct ip ip;
	unsigned bits;
	bool ok;

	while (next_network(&list, &ip, &bits, &ok))
		if (ok && same_bits(&ip, address, bits))
			return true;
	return false;
}

bool address_listed(const char *list, const char *address)
{
	struct ip ip;

	return *list != '\0' && parse(address, &ip) && ip_listed(list, &ip);
}

/* "1.2.3.4", "1.2.3.4:5678", "::1", "[::1]:5678" */
static bool parse_forwarded(char *entry, struct ip *out)
{
	char *colon = strchr(entry, ':');

	if (*entry == '[') {
		char *end = strchr(entry, ']');

		if (end == NULL)
			return false;
		*end = '\0';
		entry++;
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		*colon = '\0';
	}
	return parse(entry, out);
}

/* The last entry of [text, *len); *len becomes where it began, its comma left out. */
static bool last_entry(const char *text, size_t *len, struct ip *out)
{
	char entry[ENTRY_SIZE];
	size_t from = *len;
	bool ok;

	while (from > 0 && text[from - 1] != ',')
		from--;
	ok = trim(text + from, *len - from, entry) && parse_forwarded(entry, out);
	*len = from > 0 ? from - 1 : 0;
	return ok;
}

void address_of_client(const char *proxies, const char *peer, const char *forwarded,
		       char out[ADDRESS_SIZE])
{
	size_t len = forwarded != NULL ? strlen(forwarded) : 0;
	struct ip ip, before;

	snprintf(out, ADDRESS_SIZE, "%s", peer);
	if (!parse(peer, &ip))
		return;
	if (*proxies != '\0')
		while (len > 0 && ip_listed(proxies, &ip) &&
		       last_entry(forwarded, &len, &before))
			ip = before;
	print(&ip, out);
}

void address_place(const char *address, char out[ADDRESS_SIZE])
{
	struct ip ip;

	if (!parse(address, &ip)) {
		snprintf(out, ADDRESS_SIZE, "%s", address);
		return;
	}
	if (!is_v4(&ip))
		memset(ip.bytes + 8, 0, 8);
	print(&ip, out);
}
