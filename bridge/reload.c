// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
#include "bridge/reload.h"

#include "bridge/app.h"
#include "bridge/http/tls_server.h"
#include "protocol/log.h"

static enum err_code read_certificate(const struct app *app, struct err *e)
{
	if (*app->config.tls_cert == '\0')
		return ERR_OK;
	return tls_server_load(app->config.tls_cert, app->config.tls_key, e);
}

/* The whole file is read and checked, though one option alone is taken from it: threads read
 * the others without a lock. */
static enum err_code read_level(const struct app *app, struct err *e)
{
	enum log_level level;
	struct config config;

	if (config_load(&config, app->config_file, e) == ERR_OK &&
	    log_level_parse(config.log_level, &level))
		log_set_level(level);
	config_fini(&config);
	return e->code;
}

void reload(void *arg)
{
	const struct app *app = arg;
	struct err e = {0};

	if (read_certificate(app, &e) != ERR_OK)
		log_error("main", "reload: the old certificate stays: %s", e.msg);
	e = (struct err){0};
	if (read_level(app, &e) != ERR_OK)
		log_error("main", "reload: the old log level stays: %s", e.msg);
	log_info("main", "reloaded");
}
