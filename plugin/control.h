// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* control.h - the commands of bridges, on $CONTROL/rollcall/v1: envelope, dispatch, answers.
 * docs/reference/control.md is the format. Handlers are in control_conn.c, control_list.c,
 * control_sync.c, control_proof.c and control_stats.c.
 *
 * Only clients that were seen to log in as one of control_users are obeyed: Mosquitto 2.1 runs
 * this callback also for clients of listeners that never asked the plugin.
 * Thread: the broker's.
 */
#pragma once

#include "plugin/conn.h"
#include "plugin/directory.h"
#include "protocol/htab.h"
#include "protocol/jread.h"

#define CONTROL_MESSAGE_MAX (1024u * 1024)
#define CONTROL_COMMANDS_MAX 1000
#define CONTROL_ANSWER_MAX (16u * 1024 * 1024)

/* Where an answer goes: kept when it has to wait. */
struct control_route {
	char client_id[256];
	char topic[1024];
	int qos;                   /* as the request's, 0 or 1 */
	uint8_t correlation[1024]; /* MQTT 5 correlation data */
	uint16_t correlation_len;
};

struct dirsync;
struct control_lists;

struct control {
	const struct options *options;
	struct connset *conns;
	struct directory *directory;
	struct store *store;
	struct publish *publish;
	struct htab clients;            /* struct control_client, by the broker's pointer */
	size_t batch_takers;            /* of them */
	struct control_answer *waiting; /* for their records to be durable, oldest first */
	struct control_answer **waiting_end;
	struct dirsync *sync;
	struct control_lists *lists; /* listConnections under way */
	int64_t started_us;
};

struct control_call {
	struct control *control;
	const void *client;
	const struct control_route *route;
	const char *command, *correlation; /* correlation NULL if it had none */
	struct jread in;
	struct jwrite *out; /* inside "data":{ */
	struct err *e;
	int64_t *work_left; /* of the message: see control_spend() */
	bool when_durable;  /* set by the handler: answer once all that was put is durable */
	bool in_order; /* set by the handler: at QoS 1 whatever was asked for, for at QoS 0 the
			* answer could overtake events that it must not overtake */
	bool later;    /* set by the handler: it answers itself, with control_answer() */
};

enum err_code control_open(struct control *c, const struct options *options,
			   struct connset *conns, struct directory *directory,
			   struct store *store, struct publish *publish,
			   struct err *e) MUST_CHECK;
void control_close(struct control *c);

/* A login as a control user was seen (the broker decides whether it is accepted), or its end.
 */
void control_client_add(struct control *c, const void *client);
void control_client_remove(struct control *c, const void *client);
bool control_client_known(const struct control *c, const void *client);

/* A control client subscribed: one that takes batches of metrics gets each report in those, and
 * none by itself, whatever else it subscribes to. */
void control_client_subscribes(struct control *c, const void *client, const char *filter);
bool control_client_takes_batches(const struct control *c, const void *client);

/* Anyone does. */
bool control_batches_wanted(const struct control *c);

/* A message on the control topic. Always answered, whatever it holds. */
void control_message(struct control *c, const void *client, const struct control_route *route,
		     const char *payload, size_t len);

/* Answers one command: data (the members of its object, as JSON) or e. */
void control_answer(struct control *c, const struct control_route *route, const char *command,
		    const char *correlation, const struct buf *data, const struct err *e,
		    bool when_durable);

/* Sends a message that its handler has written itself, from {"responses":[ to ]}. */
void control_publish(struct control *c, const struct control_route *route,
		     const struct buf *message);

/* The turn's end: answers whose records became durable, a slice of a synchronisation's end.
 * True if the loop must turn again soon. */
bool control_tick(struct control *c, int64_t now_us);

/* ---- handlers: each reads call->in, writes call->out, returns call->e->code ---- */

typedef enum err_code (*control_f)(struct control_call *call);

enum err_code control_list_connections(struct control_call *call);
enum err_code control_get_connection(struct control_call *call);
enum err_code control_send(struct control_call *call);
enum err_code control_disconnect(struct control_call *call);
enum err_code control_put_workers(struct control_call *call);
enum err_code control_delete_workers(struct control_call *call);
enum err_code control_get_directory(struct control_call *call);
enum err_code control_list_token_proofs(struct control_call *call);
enum err_code control_begin_sync(struct control_call *call);
enum err_code control_end_sync(struct control_call *call);
enum err_code control_get_stats(struct control_call *call);

/* The table of commands. */
#define CONTROL_COMMANDS 11
const char *control_command_name(unsigned position);

/* Takes so many entries' work from what the message may cost. False: it would be too much, e
 * says so, and the command is not carried out. */
bool control_spend(struct control_call *call, int64_t work) MUST_CHECK;

/* Reads the member worker_id. False: the reader has failed. */
bool control_read_worker(struct jread *r, struct worker_id *id);
