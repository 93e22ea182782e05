// SPDX-License-Identifier: BSD-3-Clause
// postern: the daemon.

#include "gw/daemon/loop.h"
#include "gw/daemon/machine.h"
#include "gw/daemon/start.h"
#include "gw/daemon/stop.h"
#include "gw/os/standard_fds.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void usage(FILE *out)
{
	fputs("Usage: postern [--config FILE]\n"
	      "The OSCORE gateway: CoAP devices in front, HTTP backends behind.\n"
	      "\n"
	      "  -c, --config FILE  configuration (default " CONF_PATH_DEFAULT ")\n"
	      "      --describe     print all keys of the configuration, with their defaults\n"
	      "      --needs        print what the configuration needs of the machine\n"
	      "  -V, --version      print the version\n"
	      "  -h, --help         print this\n"
	      "\n"
	      "Stays in the foreground and logs to stderr. SIGTERM ends it cleanly; posternctl\n"
	      "manages it. `posternctl check FILE` checks a configuration.\n",
		out);
}

// For posternctl preflight, which has nothing of DPDK.
static int print_needs(const char *path)
{
	uint64_t memory_mb, descriptors;
	struct conf *conf;

	if (conf_load(path, &conf, stderr))
		return EXIT_FAILURE;
	machine_needs(conf, &memory_mb, &descriptors);
	printf("memory_mb %" PRIu64 "\ndescriptors %" PRIu64 "\n", memory_mb, descriptors);
	conf_free(conf);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	enum { OPT_DESCRIBE = 256, OPT_NEEDS };
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"describe", no_argument, NULL, OPT_DESCRIBE},
		{"needs", no_argument, NULL, OPT_NEEDS},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *conf_path = CONF_PATH_DEFAULT;
	static struct daemon daemon_state;
	bool needs = false;
	int opt;

	if (standard_fds_take())
		return EXIT_FAILURE; // there is no stderr to report to
	while ((opt = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			conf_path = optarg;
			break;
		case OPT_DESCRIBE:
			conf_describe(stdout);
			return EXIT_SUCCESS;
		case OPT_NEEDS:
			needs = true;
			break;
		case 'V':
			puts("postern " POSTERN_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	if (needs)
		return print_needs(conf_path);
	int rc = daemon_start(&daemon_state, conf_path);

	if (!rc)
		daemon_run(&daemon_state);
	if (rc == -ECANCELED)
		rc = 0;
	int stop_rc = daemon_stop(&daemon_state);

	return rc || stop_rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
