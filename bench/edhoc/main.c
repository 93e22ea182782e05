// SPDX-License-Identifier: BSD-3-Clause
// usage: bench_edhoc_load --seed HEX [--suite 0|2] --print N
//        bench_edhoc_load --seed HEX [--suite 0|2] --flood N --seconds S [--networks N] [--to A]
//        bench_edhoc_load --seed HEX [--suite 0|2] --gateway HEX [OPTION...]
//
// Devices with key pairs, which follow from the seed, agree on keys with a gateway by EDHOC (RFC
// 9528, method 3), and send requests. --print writes the rows of N of them for an import. --flood
// sends N message_1 a second from addresses that nobody has. Otherwise the devices run; --gateway
// is the gateway's CCS, and the options are, by default:
//
//   --devices 1000   --window 256 of them wait for an answer at once
//   --requests N     that each wants served, or --seconds S in which they begin something
//   --first 0        number of the first request of each
//   --each 1         requests in a session
//   --pause 0        ms between an answer and the next request, on average
//   --again 2000     ms before a copy, --tries 5
//   --rate N         handshakes that begin in a second
//   --patience 300   seconds until the program ends
//   --sessions FILE  for the keys of all sessions, --record FILE for all that is sent
//   --to 192.0.2.1
//
// Prints what became of all as a line of JSON; status 3 if a device did not get what it wanted.

#include "bench/edhoc/flood.h"
#include "bench/edhoc/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define COAP_PORT 5683

struct options {
	const char *seed, *gateway, *to;
	unsigned suite;
	uint32_t print, networks;
	double flood;
	struct run_conf run;
};

static FILE *file_open(const char *path, const char *head)
{
	FILE *file = fopen(path, "ae");

	if (!file)
		die(path);
	if (head && ftell(file) == 0)
		fputs(head, file);
	return file;
}

static uint32_t number(const char *text)
{
	char *end;
	const unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || value > UINT32_MAX)
		die("a number is wrong");
	return (uint32_t)value;
}

static double real(const char *text)
{
	char *end;
	const double value = strtod(text, &end);

	if (*end || end == text || !(value >= 0))
		die("a number is wrong");
	return value;
}

static void option_take(struct options *o, int c, const char *value)
{
	switch (c) {
	case 's':
		o->seed = value;
		break;
	case 'g':
		o->gateway = value;
		break;
	case 'o':
		o->to = value;
		break;
	case 'u':
		o->suite = number(value);
		break;
	case 'P':
		o->print = number(value);
		break;
	case 'F':
		o->flood = real(value);
		break;
	case 'N':
		o->networks = number(value);
		break;
	case 'd':
		o->run.devices = number(value);
		break;
	case 'q':
		o->run.requests = number(value);
		break;
	case 'f':
		o->run.first = number(value);
		break;
	case 'e':
		o->run.each = number(value);
		break;
	case 'w':
		o->run.window = number(value);
		break;
	case 'p':
		o->run.pause_ms = number(value);
		break;
	case 'a':
		o->run.again_ms = number(value);
		break;
	case 't':
		o->run.tries = number(value);
		break;
	case 'r':
		o->run.rate = real(value);
		break;
	case 'S':
		o->run.seconds = real(value);
		break;
	case 'W':
		o->run.patience = real(value);
		break;
	case 'k':
		o->run.sessions = file_open(value,
			"device_id,gateway_id,master_secret,master_salt,id_context,algorithm,"
			"name\n");
		break;
	case 'R':
		o->run.record = file_open(value, NULL);
		break;
	default:
		exit(2);
	}
}

static void options_read(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"seed", required_argument, NULL, 's'},
		{"gateway", required_argument, NULL, 'g'},
		{"to", required_argument, NULL, 'o'},
		{"suite", required_argument, NULL, 'u'},
		{"print", required_argument, NULL, 'P'},
		{"flood", required_argument, NULL, 'F'},
		{"networks", required_argument, NULL, 'N'},
		{"devices", required_argument, NULL, 'd'},
		{"requests", required_argument, NULL, 'q'},
		{"first", required_argument, NULL, 'f'},
		{"each", required_argument, NULL, 'e'},
		{"window", required_argument, NULL, 'w'},
		{"pause", required_argument, NULL, 'p'},
		{"again", required_argument, NULL, 'a'},
		{"tries", required_argument, NULL, 't'},
		{"rate", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 'S'},
		{"patience", required_argument, NULL, 'W'},
		{"sessions", required_argument, NULL, 'k'},
		{"record", required_argument, NULL, 'R'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		option_take(o, c, optarg);
	if (optind != argc || !o->seed)
		exit(2);
}

static bool run_and_tell(
	struct devices *devices, const struct options *o, const struct sockaddr_in *to)
{
	static struct many_latency latency;
	struct run_counts c = {0};
	const bool good = run(devices, &o->run, to, &c, &latency);

	printf("{\"devices\":%u,\"done\":%lu,\"begun\":%lu,\"agreed\":%lu,\"served\":%lu,"
	       "\"again\":%lu,\"busy\":%lu,\"challenged\":%lu,\"lost\":%lu,\"silent\":%lu,"
	       "\"refused\":%lu,\"ms_50\":%u,\"ms_99\":%u}\n",
		o->run.devices, c.done, c.begun, c.agreed, c.served, c.again, c.busy, c.challenged,
		c.lost, c.silent, c.refused, many_latency_quantile(&latency, 0.5),
		many_latency_quantile(&latency, 0.99));
	return good;
}

int main(int argc, char **argv)
{
	static struct devices devices;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(COAP_PORT)};
	struct options o = {
		.to = "192.0.2.1",
		.suite = 2,
		.networks = 256,
		.run = {.devices = 1000,
			.each = 1,
			.window = 256,
			.again_ms = 2000,
			.tries = 5,
			.patience = 300},
	};
	bool good = true;

	options_read(&o, argc, argv);
	if (sodium_init() < 0 || inet_pton(AF_INET, o.to, &to.sin_addr) != 1 || !o.run.devices ||
		!o.run.window || !o.run.each || !o.run.tries)
		return 2;
	devices_init(&devices, o.seed, o.suite, o.gateway);
	if (o.print) {
		devices_print(&devices, o.print);
	} else if (o.flood > 0) {
		if (!o.run.seconds)
			return 2;
		printf("{\"sent\":%lu}\n",
			flood(&devices, &to, o.flood, o.run.seconds, o.networks));
	} else {
		if (!o.gateway || (!o.run.requests && !o.run.seconds))
			return 2;
		good = run_and_tell(&devices, &o, &to);
	}
	ecc_engine_free(devices.engine.ecc);
	aead_engine_free(devices.engine.aead);
	sodium_memzero(&devices, sizeof(devices));
	return good ? 0 : 3;
}
