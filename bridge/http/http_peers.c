// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/http_peers.h"

#include "bridge/base/config.h"
#include "bridge/identity/address.h"
#include "protocol/clock.h"
#include "protocol/htab.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

/* Sweeps that are further apart than this were held up by us, not by clients. */
#define SWEEP_GAP_MS 2000

/* An answer may take this much longer for each of its bytes beyond the first mebibyte. */
#define BYTES_FREE ((size_t)1024 * 1024)
#define BYTES_PER_S ((size_t)16 * 1024)

static_assert(HTTP_ADDRESS_SIZE == ADDRESS_SIZE, "both hold any address");

/* An address that has connections; IPv6 by network, as everywhere (address_place()). */
struct place {
	char name[ADDRESS_SIZE];
	int64_t connections;
};

struct http_peer {
	struct http_peers *of;
	struct place *place;
	int fd;
	enum http_step step;
	int64_t end_ms; /* by the peers' own time */
	bool cut;       /* shut down: its end is under way */
	TAILQ_ENTRY(http_peer) list;
};

struct http_peers {
	const struct config *config;
	struct traffic *traffic;
	struct htab places;
	TAILQ_HEAD(, http_peer) peers;
	int64_t now_ms, swept_ms;
};

static uint64_t hash_place(const void *item)
{
	return htab_hash_str(((const struct place *)item)->name);
}

static bool is_place(const void *item, const void *name)
{
	return strcmp(((const struct place *)item)->name, name) == 0;
}

void http_address(const struct sockaddr *from, char out[HTTP_ADDRESS_SIZE])
{
	const void *bytes = NULL;

	out[0] = '\0';
	if (from == NULL)
		return;
	if (from->sa_family == AF_INET)
		bytes = &((const struct sockaddr_in *)(const void *)from)->sin_addr;
	else if (from->sa_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
	if (bytes != NULL)
		inet_ntop(from->sa_family, bytes, out, HTTP_ADDRESS_SIZE);
}

/* ---- how many ---------------------------------------------------------------------------- */

static struct place *find(struct http_peers *p, const char *name)
{
	return htab_find(&p->places, htab_hash_str(name), is_place, name);
}

bool http_peers_may(struct http_peers *p, const struct sockaddr *from)
{
	char address[ADDRESS_SIZE], name[ADDRESS_SIZE];
	const struct place *place;

	http_address(from, address);
	address_place(address, name);
	place = find(p, name);
	if (place == NULL || place->connections < p->config->http_connections_per_address ||
	    address_listed(p->config->trusted_proxies, address))
		return true;
	traffic_refused(p->traffic);
	return false;
}

static struct place *enter(struct http_peers *p, const struct sockaddr *from)
{
	char address[ADDRESS_SIZE], name[ADDRESS_SIZE];
	struct place *place;

	http_address(from, address);
	address_place(address, name);
	place = find(p, name);
	if (place == NULL) {
		place = calloc(1, sizeof(*place));
		if (place == NULL)
			return NULL;
		memcpy(place->name, name, sizeof(name));
		if (!htab_add(&p->places, place)) {
			free(place);
			return NULL;
		}
	}
	place->connections++;
	return place;
}

static void leave(struct http_peers *p, struct place *place)
{
	if (--place->connections > 0)
		return;
	htab_remove(&p->places, place);
	free(place);
}

struct http_peer *http_peer_new(struct http_peers *p, const struct sockaddr *from, int fd)
{
	struct http_peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL)
		return NULL;
	*peer = (struct http_peer){.of = p, .place = enter(p, from), .fd = fd};
	if (peer->place == NULL) {
		free(peer);
		return NULL;
	}
	traffic_connected(p->traffic, 1);
	TAILQ_INSERT_TAIL(&p->peers, peer, list);
	http_peer_step(peer, HTTP_STEP_HEADER, 0);
	return peer;
}

void http_peer_free(struct http_peer *peer)
{
	if (peer == NULL)
		return;
	TAILQ_REMOVE(&peer->of->peers, peer, list);
	traffic_connected(peer->of->traffic, -1);
	leave(peer->of, peer->place);
	free(peer);
}

/* ---- until when -------------------------------------------------------------------------- */

static int64_t seconds_for(const struct config *config, enum http_step step, size_t bytes)
{
	switch (step) {
	case HTTP_STEP_IDLE:
		return config->http_idle_s;
	case HTTP_STEP_HEADER:
		return config->http_header_s;
	case HTTP_STEP_BODY:
		return config->http_body_s;
	case HTTP_STEP_ANSWER:
		return config->http_answer_s +
		       (bytes > BYTES_FREE ? (int64_t)((bytes - BYTES_FREE) / BYTES_PER_S) : 0);
	case HTTP_STEP_NONE:
	case HTTP_STEPS:
		break;
	}
	return 0;
}

void http_peer_step(struct http_peer *peer, enum http_step step, size_t bytes)
{
	peer->step = step;
	peer->end_ms =
		peer->of->now_ms + seconds_for(peer->of->config, step, bytes) * INT64_C(1000);
}

/* libmicrohttpd finds the connection's end by itself, and closes it. */
static void cut_off(struct http_peer *peer)
{
	peer->cut = true;
	traffic_late(peer->of->traffic, peer->step);
	shutdown(peer->fd, SHUT_RDWR);
}

void http_peers_sweep(struct http_peers *p)
{
	const int64_t now_ms = clock_mono_us() / 1000, passed_ms = now_ms - p->swept_ms;
	struct http_peer *peer;

	p->swept_ms = now_ms;
	p->now_ms += passed_ms < SWEEP_GAP_MS ? passed_ms : 0;
	TAILQ_FOREACH(peer, &p->peers, list)
	if (peer->step != HTTP_STEP_NONE && !peer->cut && p->now_ms > peer->end_ms)
		cut_off(peer);
}

/* ---- life -------------------------------------------------------------------------------- */

struct http_peers *http_peers_new(const struct config *config, struct traffic *traffic,
				  struct err *e)
{
	struct http_peers *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_set(e, ERR_OUT_OF_MEMORY, NULL);
		return NULL;
	}
	p->config = config;
	p->traffic = traffic;
	p->swept_ms = clock_mono_us() / 1000;
	htab_init(&p->places, hash_place);
	TAILQ_INIT(&p->peers);
	return p;
}

void http_peers_free(struct http_peers *p)
{
	if (p == NULL)
		return;
	htab_fini(&p->places);
	free(p);
}
