// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
/* fleet - a load harness: thousands of MQTT workers on one thread. It speaks to 127.0.0.1 only.
 *
 *	main ──▶ phases ──▶ workers, observer, commands, probe ──▶ mqtt, http ──▶ websocket, net
 */
#include "tests/bench/fleet/net.h"
#include "tests/bench/fleet/options.h"
#include "tests/bench/fleet/phases.h"
#include "tests/bench/fleet/workers.h"

#include <signal.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	options_parse(argc, argv);
	signal(SIGTERM, phases_stop);
	signal(SIGINT, phases_stop);
	setvbuf(stderr, NULL, _IOLBF, 0);
	net_start((int)opt.sources);
	workers_load();
	report_begin();
	for (int i = 0; i < phases_len; i++)
		if (phases[i].wanted())
			phases[i].run();
	report_end();
	return fleet.failed > 0 ? 3 : 0;
}
