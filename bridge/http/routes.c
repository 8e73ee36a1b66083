// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/http/routes.h"

#include <string.h>

#define COMMAND "/workers/{worker}/commands/{command}" /* longer than the table's column */

/* Where a path fits several rows, the method decides, then the order. */
const struct route routes[] = {
	{HTTP_GET,    "/",				   SCOPE_OPEN,      rest_dashboard       },
	{HTTP_GET,    "/assets/{file}",                      SCOPE_OPEN,      rest_dashboard_asset },
	{HTTP_GET,    "/dashboard.json",                     SCOPE_READ,      rest_dashboard_facts },

	{HTTP_GET,    "/livez",			      SCOPE_OPEN,      rest_livez           },
	{HTTP_GET,    "/readyz",                             SCOPE_OPEN,      rest_readyz          },
	{HTTP_GET,    "/healthz",                            SCOPE_OPEN,      rest_healthz         },
	{HTTP_GET,    "/metrics",                            SCOPE_OPEN,      rest_prometheus      },

	{HTTP_GET,    "/openapi.json",                       SCOPE_OPEN,      rest_openapi         },

	{HTTP_POST,   "/auth/login",                         SCOPE_OPEN,      rest_login           },
	{HTTP_GET,    "/auth/me",                            SCOPE_SIGNED_IN, rest_me              },
	{HTTP_POST,   "/auth/logout",                        SCOPE_SESSION,   rest_logout          },
	{HTTP_POST,   "/auth/password",                      SCOPE_SESSION,   rest_password        },

	{HTTP_GET,    "/users",			      SCOPE_ADMIN,     rest_user_list       },
	{HTTP_POST,   "/users",			      SCOPE_ADMIN,     rest_user_add        },
	{HTTP_PATCH,  "/users/{name}",                       SCOPE_ADMIN,     rest_user_change     },
	{HTTP_DELETE, "/users/{name}",                       SCOPE_ADMIN,     rest_user_delete     },
	{HTTP_GET,    "/keys",			       SCOPE_ADMIN,     rest_key_list        },
	{HTTP_POST,   "/keys",			       SCOPE_ADMIN,     rest_key_add         },
	{HTTP_DELETE, "/keys/{key}",                         SCOPE_ADMIN,     rest_key_delete      },
	{HTTP_GET,    "/audit",			      SCOPE_ADMIN,     rest_audit           },

	{HTTP_GET,    "/events",                             SCOPE_READ,      rest_events          },

	{HTTP_POST,   "/commands",                           SCOPE_COMMANDS,  rest_batch_create    },
	{HTTP_GET,    "/commands/{batch}",                   SCOPE_READ,      rest_batch_get       },
	{HTTP_DELETE, "/commands/{batch}",                   SCOPE_COMMANDS,  rest_batch_cancel    },

	{HTTP_GET,    "/workers",                            SCOPE_READ,      rest_worker_list     },
	{HTTP_POST,   "/workers",                            SCOPE_WORKERS,   rest_worker_create   },
	{HTTP_GET,    "/workers/status",                     SCOPE_READ,      rest_worker_status   },
	{HTTP_GET,    "/workers/{worker}",                   SCOPE_READ,      rest_worker_get      },
	{HTTP_PATCH,  "/workers/{worker}",                   SCOPE_WORKERS,   rest_worker_change   },
	{HTTP_DELETE, "/workers/{worker}",                   SCOPE_WORKERS,   rest_worker_delete   },
	{HTTP_POST,   "/workers/{worker}/token",             SCOPE_WORKERS,   rest_token_rotate    },
	{HTTP_POST,   "/workers/{worker}/renew",             SCOPE_WORKERS,   rest_token_renew     },
	{HTTP_POST,   "/workers/{worker}/revoke",            SCOPE_WORKERS,   rest_worker_revoke   },
	{HTTP_POST,   "/workers/{worker}/reinstate",         SCOPE_WORKERS,   rest_worker_reinstate},

	{HTTP_GET,    "/workers/{worker}/connection",        SCOPE_READ,      rest_connection_get  },
	{HTTP_DELETE, "/workers/{worker}/sessions",          SCOPE_WORKERS,   rest_session_kick    },
	{HTTP_DELETE, "/workers/{worker}/sessions/{client}", SCOPE_WORKERS,   rest_session_kick    },
	{HTTP_POST,   "/workers/{worker}/send",              SCOPE_COMMANDS,  rest_worker_send     },
	{HTTP_POST,   "/workers/{worker}/start",             SCOPE_COMMANDS,  rest_worker_start    },
	{HTTP_POST,   "/workers/{worker}/stop",              SCOPE_COMMANDS,  rest_worker_stop     },
	{HTTP_POST,   "/workers/{worker}/commands",          SCOPE_COMMANDS,  rest_command_create  },
	{HTTP_GET,    "/workers/{worker}/commands",          SCOPE_READ,      rest_command_list    },
	{HTTP_GET,    COMMAND,			       SCOPE_READ,      rest_command_get     },
	{HTTP_DELETE, COMMAND,			       SCOPE_COMMANDS,  rest_command_cancel  },
	{HTTP_GET,    "/workers/{worker}/events",            SCOPE_READ,      rest_worker_events   },
	{HTTP_GET,    "/workers/{worker}/metrics/latest",    SCOPE_READ,      rest_metrics_latest  },
	{HTTP_GET,    "/workers/{worker}/metrics",           SCOPE_READ,      rest_metrics_history },
};

const size_t routes_len = ARRAY_LEN(routes);

enum route_place route_place(const struct route *route)
{
	static const struct {
		const char *pattern;
		enum route_place place;
	} places[] = {
		{"/livez",   ROUTE_BOTH     },
		{"/readyz",  ROUTE_BOTH     },
		{"/healthz", ROUTE_OPERATORS},
		{"/metrics", ROUTE_OPERATORS},
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (strcmp(places[i].pattern, route->pattern) == 0)
			return places[i].place;
	return ROUTE_REST;
}
