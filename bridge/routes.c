// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/routes.h"

/* Where a path fits several rows, the method decides, then the order. */
const struct route routes[] = {
	{HTTP_GET,    "/livez",			      ROLE_NONE,   rest_livez           },
	{HTTP_GET,    "/readyz",                             ROLE_NONE,   rest_readyz          },

	{HTTP_POST,   "/auth/login",                         ROLE_NONE,   rest_login           },
	{HTTP_GET,    "/auth/me",                            ROLE_VIEWER, rest_me              },

	{HTTP_GET,    "/workers",                            ROLE_VIEWER, rest_worker_list     },
	{HTTP_POST,   "/workers",                            ROLE_ADMIN,  rest_worker_create   },
	{HTTP_GET,    "/workers/status",                     ROLE_VIEWER, rest_worker_status   },
	{HTTP_GET,    "/workers/{worker}",                   ROLE_VIEWER, rest_worker_get      },
	{HTTP_PATCH,  "/workers/{worker}",                   ROLE_ADMIN,  rest_worker_change   },
	{HTTP_DELETE, "/workers/{worker}",                   ROLE_ADMIN,  rest_worker_delete   },
	{HTTP_POST,   "/workers/{worker}/token",             ROLE_ADMIN,  rest_token_rotate    },
	{HTTP_POST,   "/workers/{worker}/revoke",            ROLE_ADMIN,  rest_worker_revoke   },
	{HTTP_POST,   "/workers/{worker}/reinstate",         ROLE_ADMIN,  rest_worker_reinstate},

	{HTTP_GET,    "/workers/{worker}/connection",        ROLE_VIEWER, rest_connection_get  },
	{HTTP_DELETE, "/workers/{worker}/sessions",          ROLE_ADMIN,  rest_session_kick    },
	{HTTP_DELETE, "/workers/{worker}/sessions/{client}", ROLE_ADMIN,  rest_session_kick    },
	{HTTP_POST,   "/workers/{worker}/send",              ROLE_ADMIN,  rest_worker_send     },
	{HTTP_POST,   "/workers/{worker}/start",             ROLE_ADMIN,  rest_worker_start    },
	{HTTP_POST,   "/workers/{worker}/stop",              ROLE_ADMIN,  rest_worker_stop     },
	{HTTP_GET,    "/workers/{worker}/metrics/latest",    ROLE_VIEWER, rest_metrics_latest  },
};

const size_t routes_len = ARRAY_LEN(routes);
