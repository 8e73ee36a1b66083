// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* fixed PORT BYTES - libmicrohttpd on one thread, which answers every request on 127.0.0.1 with
 * the same body of so many bytes. What the bridge's answers are measured against: it does
 * nothing but HTTP. Prints a line when it listens; ends when its standard input does. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct MHD_Response *response;

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **con_cls)
{
	static int seen;

	(void)cls;
	(void)url;
	(void)method;
	(void)version;
	(void)data;
	(void)data_len;
	/* An answer that is queued in the first call closes the connection. */
	if (*con_cls == NULL) {
		*con_cls = &seen;
		return MHD_YES;
	}
	return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	struct MHD_Daemon *daemon;
	size_t len;
	char *body;

	if (argc != 3)
		return 2;
	at.sin_port = htons((uint16_t)atoi(argv[1]));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	len = strtoull(argv[2], NULL, 10);
	body = malloc(len);
	if (body == NULL)
		return 1;
	memset(body, 'x', len);
	response = MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE);
	daemon =
		MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, NULL,
				 MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_END);
	if (response == NULL || daemon == NULL)
		return 1;
	puts("listening");
	fflush(stdout);
	while (getchar() != EOF)
		;
	MHD_stop_daemon(daemon);
	MHD_destroy_response(response);
	return 0;
}
