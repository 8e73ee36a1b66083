// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* address.h - whose address a request comes from, where proxies stand in between. Pure.
 *
 * A list of proxies is text, "127.0.0.1, 10.0.0.0/8, fd00::/8". What a request says about
 * itself (X-Forwarded-For) is believed from those alone: anybody can write a header. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ADDRESS_SIZE 64

/* Can the list be read? An empty one can. */
bool address_list_valid(const char *list);

/* Is the address one of the list's? */
bool address_listed(const char *list, const char *address);

/* The client's address: the peer's, unless that is a proxy of the list; then the last one in
 * `forwarded` (all values of X-Forwarded-For, comma-separated; NULL: none) that is no proxy.
 * What cannot be read ends the search at the proxy that passed it on. */
void address_of_client(const char *proxies, const char *peer, const char *forwarded,
		       char out[ADDRESS_SIZE]);

/* What counts as one place: an IPv4 address, or an IPv6 network of 64 bits, which is what one
 * customer has at the least. What is no address stands for itself. */
void address_place(const char *address, char out[ADDRESS_SIZE]);
