// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* Which answers are compressed. Streams never are: what is in them must come at once. Answers
 * to GET alone: the others are small, and some tell a secret next to what the asker has chosen,
 * which the length of what is compressed would betray, encrypted or not. */
#include "bridge/http/http_encode.h"

#include "bridge/app.h"
#include "bridge/http/gzip.h"
#include "bridge/http/packer.h"

#include <string.h>
#include <strings.h>

#define WORTH_BYTES 1024                  /* with less it would save no packet */
#define AT_ONCE_BYTES ((size_t)16 * 1024) /* some 40 us */
#define ACCEPT_MAX 1024

static const char *header_of(const struct request_http *rh, const char *name)
{
	for (size_t i = 0; i < rh->headers_len; i++)
		if (strcasecmp(rh->headers[i].name, name) == 0)
			return rh->headers[i].value;
	return NULL;
}

static bool is_text(const char *type)
{
	return type != NULL &&
	       (strncmp(type, "text/", 5) == 0 || strncmp(type, "application/json", 16) == 0);
}

/* Does its encoding depend on who asks? */
static bool is_worth_it(const struct request_http *rh)
{
	return rh->stream == NULL && rh->method == HTTP_GET && rh->status == 200 &&
	       rh->answer.len >= WORTH_BYTES && is_text(header_of(rh, "Content-Type")) &&
	       header_of(rh, "Vary") == NULL;
}

static bool is_accepted(const struct request_http *rh)
{
	struct buf all;
	bool accepted;

	buf_init(&all, ACCEPT_MAX);
	request_header_all(&rh->rq, "Accept-Encoding", &all);
	accepted = !all.failed && gzip_accepted(all.data);
	buf_fini(&all);
	return accepted;
}

/* Where memory is short the answer goes out as it is. */
static void take_packed(struct request_http *rh, struct buf *packed)
{
	if (packed->failed) {
		buf_fini(packed);
		return;
	}
	buf_fini(&rh->answer);
	rh->answer = *packed;
	respond_header(&rh->rq, "Content-Encoding", "gzip");
}

static void on_packed(void *arg)
{
	struct request_http *rh = arg;

	take_packed(rh, &rh->pack.packed);
	http_answered(rh);
}

/* True: it is under way on the other thread. */
static bool pack(struct request_http *rh)
{
	struct packer_job *job = &rh->pack;

	*job = (struct packer_job){
		.data = rh->answer.data, .len = rh->answer.len, .done = on_packed, .arg = rh};
	buf_init(&job->packed, HTTP_ANSWER_MAX);
	if (rh->answer.len > AT_ONCE_BYTES)
		return packer_submit(rh->rq.app->packer, job);
	gzip_pack(job->data, job->len, &job->packed);
	take_packed(rh, &job->packed);
	return false;
}

void http_encode(struct request_http *rh)
{
	const bool depends = is_worth_it(rh);

	if (depends || rh->status == 304)
		respond_header(&rh->rq, "Vary", "Accept-Encoding");
	if (depends && is_accepted(rh) && pack(rh))
		return;
	http_answered(rh);
}
