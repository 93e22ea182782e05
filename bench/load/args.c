// SPDX-License-Identifier: BSD-3-Clause

#include "bench/load/args.h"

#include "bench/load/devices.h"
#include "gw/tools/coap/number.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DURATION_MS   10000
#define TIMEOUT_MS    2000
#define SOCKETS       16
#define SOCKETS_MAX   4096
#define MTU           1500
#define PAYLOAD_MAX   65535
#define RATE_MAX      1e9
#define WINDOW_SECOND 2048 // least window of an open loop
#define HOSTILE_MAX   99

static const char help[] =
	"usage: postern-load -k KEYS [OPTION]... coap://HOST[:PORT][/PATH][?QUERY]\n"
	"       postern-load --make-devices N FILE\n"
	"Puts an OSCORE server under load from many devices and reports rates, losses and\n"
	"latencies.\n"
	"\n"
	"Devices:\n"
	"  -k, --keys FILE         their keys, as CSV or JSON that posternctl imports, too;\n"
	"                          FILE.seq holds the sequence numbers: never lose or copy it\n"
	"  -n, --devices N         use the first N of them\n"
	"      --make-devices N    write a new file of N devices with random keys, and end\n"
	"      --first-id ID       first kid of these, a number (0)\n"
	"      --algorithm ALG     of these (AES-CCM-16-64-128)\n"
	"\n"
	"Requests:\n"
	"  -m, --method METHOD     get, post, put, delete, fetch, patch or ipatch (post)\n"
	"  -N, --non               non-confirmable\n"
	"  -d, --data DATA         payload\n"
	"  -s, --size BYTES        payload of so many bytes (32)\n"
	"  -O, --option NAME=VALUE any option, as often as wanted\n"
	"\n"
	"Load:\n"
	"  -r, --rate RATE         open loop: so many requests a second (100k, 1.5M), whatever\n"
	"                          comes back; latency counts from when each was due\n"
	"  -w, --window N          closed loop: N requests under way (64); with --rate the most\n"
	"  -t, --duration SECONDS  10\n"
	"      --requests N        end after N requests\n"
	"      --warm-up SECONDS   of load before that is not counted (0)\n"
	"      --timeout SECONDS   after which a request is lost (2); none is sent again\n"
	"      --verify 1/N        open and check one of N answers (1/1); every answer is\n"
	"                          matched by token and message id\n"
	"      --reflected         the other end sends requests back as they are (testpmd with\n"
	"                          5tswap): measures the way there and back without a server\n"
	"      --hostile PERCENT   so many of a hundred datagrams are of somebody without keys:\n"
	"                          unknown kids, wrong tags, replays, malformed ones; rate and\n"
	"                          window are of the others\n"
	"\n"
	"Sockets of the kernel:\n"
	"      --sockets N         source ports (16)\n"
	"  -b, --bind ADDRESS      source address\n"
	"  -4, -6                  IPv4 or IPv6 only\n"
	"\n"
	"A DPDK port instead, which needs root and keeps a core busy:\n"
	"      --memif SOCKET      shared memory, by the path of its socket\n"
	"      --memif-server      make the socket rather than connect to it\n"
	"      --af-packet NETDEV  a network device of the kernel\n"
	"      --pci ADDRESS       a NIC that is bound to vfio-pci\n"
	"      --source A[-B]      addresses to send from, which nobody else may have\n"
	"      --source-ports A-B  ports of each of them (1024-65535)\n"
	"      --server-mac MAC    do not ask for the server's (or its router's) MAC\n"
	"      --mtu BYTES         1500\n"
	"\n"
	"A file instead:\n"
	"      --pcap FILE         write --requests N frames from --source to --server-mac\n"
	"      --source-mac MAC    that they come from (02:00:00:00:00:02)\n"
	"\n"
	"      --core CPU          keep the sending thread on this CPU\n"
	"      --json              print one JSON object\n"
	"  -q, --quiet             no progress on standard error\n"
	"  -h, --help, -V, --version\n"
	"\n"
	"One thread sends and receives. For more load start several, each with keys of its own.\n";

enum {
	OPT_MAKE = 256,
	OPT_FIRST,
	OPT_ALGORITHM,
	OPT_REQUESTS,
	OPT_WARM_UP,
	OPT_TIMEOUT,
	OPT_VERIFY,
	OPT_REFLECTED,
	OPT_HOSTILE,
	OPT_SOCKETS,
	OPT_MEMIF,
	OPT_MEMIF_SERVER,
	OPT_AF_PACKET,
	OPT_PCI,
	OPT_SOURCE,
	OPT_SOURCE_PORTS,
	OPT_SERVER_MAC,
	OPT_SOURCE_MAC,
	OPT_MTU,
	OPT_PCAP,
	OPT_CORE,
	OPT_JSON,
};

static const struct option longs[] = {
	{"keys", required_argument, NULL, 'k'},
	{"devices", required_argument, NULL, 'n'},
	{"make-devices", required_argument, NULL, OPT_MAKE},
	{"first-id", required_argument, NULL, OPT_FIRST},
	{"algorithm", required_argument, NULL, OPT_ALGORITHM},
	{"method", required_argument, NULL, 'm'},
	{"non", no_argument, NULL, 'N'},
	{"data", required_argument, NULL, 'd'},
	{"size", required_argument, NULL, 's'},
	{"option", required_argument, NULL, 'O'},
	{"rate", required_argument, NULL, 'r'},
	{"window", required_argument, NULL, 'w'},
	{"duration", required_argument, NULL, 't'},
	{"requests", required_argument, NULL, OPT_REQUESTS},
	{"warm-up", required_argument, NULL, OPT_WARM_UP},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"verify", required_argument, NULL, OPT_VERIFY},
	{"reflected", no_argument, NULL, OPT_REFLECTED},
	{"hostile", required_argument, NULL, OPT_HOSTILE},
	{"sockets", required_argument, NULL, OPT_SOCKETS},
	{"bind", required_argument, NULL, 'b'},
	{"memif", required_argument, NULL, OPT_MEMIF},
	{"memif-server", no_argument, NULL, OPT_MEMIF_SERVER},
	{"af-packet", required_argument, NULL, OPT_AF_PACKET},
	{"pci", required_argument, NULL, OPT_PCI},
	{"source", required_argument, NULL, OPT_SOURCE},
	{"source-ports", required_argument, NULL, OPT_SOURCE_PORTS},
	{"server-mac", required_argument, NULL, OPT_SERVER_MAC},
	{"source-mac", required_argument, NULL, OPT_SOURCE_MAC},
	{"mtu", required_argument, NULL, OPT_MTU},
	{"pcap", required_argument, NULL, OPT_PCAP},
	{"core", required_argument, NULL, OPT_CORE},
	{"json", no_argument, NULL, OPT_JSON},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static int set_number(uint64_t min, uint64_t max, const char *text, uint64_t *number,
	const char *what, struct error *f)
{
	if (!number_parse(text, max, number) || *number < min)
		return error_set(f, -EINVAL, "%s: \"%s\" is not a number from %llu to %llu", what,
			text, (unsigned long long)min, (unsigned long long)max);
	return 0;
}

static int set_seconds(unsigned *ms, const char *text, struct error *f)
{
	if (!seconds_parse(text, ms))
		return error_set(f, -EINVAL, "\"%s\" is not a time in seconds", text);
	return 0;
}

// A number that may have a fraction and k or M behind it.
static int set_rate(double *rate, const char *text, struct error *f)
{
	char *end;

	*rate = strtod(text, &end);
	if (end != text && (*end == 'k' || *end == 'K'))
		*rate *= 1e3, end++;
	else if (end != text && *end == 'M')
		*rate *= 1e6, end++;
	if (end == text || *end || !(*rate > 0) || *rate > RATE_MAX)
		return error_set(
			f, -EINVAL, "\"%s\" is not a rate, such as 500, 100k or 1.5M", text);
	return 0;
}

static int set_verify(uint32_t *verify, const char *text, struct error *f)
{
	uint64_t number;

	if (strncmp(text, "1/", 2) || !number_parse(text + 2, UINT32_MAX, &number) || !number)
		return error_set(f, -EINVAL, "--verify takes 1/N, not \"%s\"", text);
	*verify = (uint32_t)number;
	return 0;
}

static int set_payload(struct load_args *args, const void *data, size_t len, struct error *f)
{
	if (args->payload)
		return error_set(f, -EINVAL, "there is one payload: -d or -s, and once");
	args->payload = malloc(len + 1);
	if (!args->payload)
		return error_set(f, -ENOMEM, "out of memory");
	if (data)
		memcpy(args->payload, data, len);
	// Printable, for those who look at what arrives.
	for (size_t i = 0; !data && i < len; i++)
		args->payload[i] = (uint8_t)('a' + i % 26);
	args->payload_len = len;
	return 0;
}

static int set_algorithm(enum aead_alg *alg, const char *text, struct error *f)
{
	if (aead_alg_from_name(text, alg))
		return error_set(f, -EINVAL, "no algorithm is called \"%s\"", text);
	return 0;
}

static int set_mac(uint8_t mac[6], const char *text, struct error *f)
{
	unsigned byte[6];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3],
		    &byte[4], &byte[5], &end) != 6 ||
		text[end])
		return error_set(f, -EINVAL, "\"%s\" is no MAC such as 02:00:00:00:00:01", text);
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)byte[i];
	return 0;
}

static int set_port(
	struct load_args *args, enum dp_port_kind kind, const char *dev, struct error *f)
{
	if (args->port_dev)
		return error_set(f, -EINVAL, "there is one port: \"%s\" is one too many", dev);
	args->port_kind = kind;
	args->port_dev = dev;
	return 0;
}

// Options without a value. False if it is none of them.
static bool set_switch(struct load_args *args, int option)
{
	switch (option) {
	case 'N':
		args->type = COAP_NON;
		return true;
	case OPT_REFLECTED:
		args->reflected = true;
		return true;
	case '4':
		args->family = AF_INET;
		return true;
	case '6':
		args->family = AF_INET6;
		return true;
	case OPT_MEMIF_SERVER:
		args->memif_server = true;
		return true;
	case OPT_JSON:
		args->json = true;
		return true;
	case 'q':
		args->quiet = true;
		return true;
	default:
		return false;
	}
}

// A DPDK port, or a file.
static int set_frames_option(struct load_args *args, int option, char *text, struct error *f)
{
	uint64_t number = 0;
	int err = 0;

	switch (option) {
	case OPT_MEMIF:
		return set_port(args, DP_PORT_MEMIF, text, f);
	case OPT_AF_PACKET:
		return set_port(args, DP_PORT_AF_PACKET, text, f);
	case OPT_PCI:
		return set_port(args, DP_PORT_PCI, text, f);
	case OPT_SOURCE:
		return sources_parse_addresses(&args->sources, text, f);
	case OPT_SOURCE_PORTS:
		return sources_parse_ports(&args->sources, text, f);
	case OPT_SERVER_MAC:
		args->has_server_mac = true;
		return set_mac(args->server_mac, text, f);
	case OPT_SOURCE_MAC:
		args->has_source_mac = true;
		return set_mac(args->source_mac, text, f);
	case OPT_MTU:
		err = set_number(1280, 9000, text, &number, "--mtu", f);
		args->mtu = (uint16_t)number;
		return err;
	case OPT_PCAP:
		args->pcap_path = text;
		return 0;
	default:
		return -EINVAL;
	}
}

// Load, and what sends it.
static int set_load_option(struct load_args *args, int option, char *text, struct error *f)
{
	uint64_t number = 0;
	int err = 0;

	switch (option) {
	case 'r':
		return set_rate(&args->rate, text, f);
	case 'w':
		err = set_number(1, WINDOW_MAX, text, &number, "--window", f);
		args->window = (uint32_t)number;
		return err;
	case 't':
		return set_seconds(&args->duration_ms, text, f);
	case OPT_REQUESTS:
		return set_number(1, UINT64_MAX, text, &args->requests, "--requests", f);
	case OPT_WARM_UP:
		return set_seconds(&args->warm_up_ms, text, f);
	case OPT_TIMEOUT:
		return set_seconds(&args->timeout_ms, text, f);
	case OPT_VERIFY:
		return set_verify(&args->verify, text, f);
	case OPT_HOSTILE:
		err = set_number(1, HOSTILE_MAX, text, &number, "--hostile", f);
		args->hostile = (unsigned)number;
		return err;
	case OPT_SOCKETS:
		err = set_number(1, SOCKETS_MAX, text, &number, "--sockets", f);
		args->sockets = (unsigned)number;
		return err;
	case 'b':
		args->bind_address = text;
		return 0;
	case OPT_CORE:
		err = set_number(0, CPU_SETSIZE - 1, text, &number, "--core", f);
		args->core = (int)number;
		return err;
	default:
		return set_frames_option(args, option, text, f);
	}
}

// Devices, requests and all others.
static int set_option(struct load_args *args, int option, char *text, struct error *f)
{
	uint64_t number = 0;
	int err = 0;

	if (set_switch(args, option))
		return 0;
	switch (option) {
	case 'k':
		args->keys_path = text;
		return 0;
	case 'n':
		err = set_number(1, DEVICES_MAX, text, &number, "--devices", f);
		args->devices = number;
		return err;
	case OPT_MAKE:
		err = set_number(1, DEVICES_MAX, text, &number, "--make-devices", f);
		args->make_devices = number;
		return err;
	case OPT_FIRST:
		err = set_number(0, UINT32_MAX, text, &number, "--first-id", f);
		args->first_id = (uint32_t)number;
		return err;
	case OPT_ALGORITHM:
		return set_algorithm(&args->alg, text, f);
	case 'm':
		args->code = coap_method_from_name(text);
		return args->code ? 0 : error_set(f, -EINVAL, "\"%s\" is no method", text);
	case 'd':
		if (strlen(text) > PAYLOAD_MAX)
			return error_set(f, -EINVAL, "the payload is too long");
		return set_payload(args, text, strlen(text), f);
	case 's':
		err = set_number(0, PAYLOAD_MAX, text, &number, "--size", f);
		return err ? err : set_payload(args, NULL, number, f);
	case 'O':
		return option_add_words(&args->options, text, f);
	default:
		return set_load_option(args, option, text, f);
	}
}

static int finish_make(struct load_args *args, char **words, int count, struct error *f)
{
	if (count != 1)
		return error_set(f, -EINVAL, "--make-devices N needs the name of one new file");
	if (args->make_devices > (uint64_t)UINT32_MAX + 1 - args->first_id)
		return error_set(f, -EINVAL, "kids of four bytes do not count that far");
	args->make_path = words[0];
	return 0;
}

// What frames are made of, if they are made here.
static int finish_frames(struct load_args *args, struct error *f)
{
	if (!args->port_dev && !args->pcap_path) {
		if (args->sources.family || args->has_server_mac)
			return error_set(f, -EINVAL,
				"--source and --server-mac are for a DPDK port or --pcap; sockets "
				"have --bind");
		return 0;
	}
	if (!args->sources.family)
		return error_set(f, -EINVAL, "no addresses to send from: --source");
	if (args->pcap_path && (args->port_dev || !args->requests || !args->has_server_mac))
		return error_set(
			f, -EINVAL, "--pcap needs --requests and --server-mac, and no port");
	return 0;
}

// An open loop has as many under way as the rate brings within the timeout.
static void default_window(struct load_args *args)
{
	double most = args->rate * args->timeout_ms / 1e3 * 1.25 + WINDOW_SECOND;

	if (args->window)
		return;
	if (args->rate > 0)
		args->window = most < WINDOW_MAX ? (uint32_t)most : WINDOW_MAX;
	else
		args->window = WINDOW_DEFAULT;
}

static int finish(struct load_args *args, char **words, int count, struct error *f)
{
	int err;

	if (args->make_devices)
		return finish_make(args, words, count, f);
	if (!count)
		return error_set(f, -EINVAL, "no URI; try postern-load --help");
	if (count > 1)
		return error_set(f, -EINVAL, "\"%s\" is one argument too many", words[1]);
	if (!args->keys_path)
		return error_set(f, -EINVAL,
			"no keys: -k FILE (postern-load --make-devices N FILE makes one)");
	if (!args->duration_ms || !args->timeout_ms)
		return error_set(f, -EINVAL, "--duration and --timeout are not 0");
	if (args->hostile && (args->reflected || args->pcap_path))
		return error_set(f, -EINVAL, "--hostile is for a server that sends answers");
	if (!args->payload) {
		bool none = args->code == COAP_GET || args->code == COAP_DELETE;

		err = set_payload(args, NULL, none ? 0 : PAYLOAD_DEFAULT, f);
		if (err)
			return err;
	}
	default_window(args);
	err = finish_frames(args, f);
	if (err)
		return err;
	return uri_parse(&args->uri, words[0], &args->options, f);
}

enum load_args_result load_args_parse(
	struct load_args *args, int argc, char **argv, struct error *f)
{
	int option;

	*args = (struct load_args){
		.alg = AEAD_AES_CCM_16_64_128,
		.type = COAP_CON,
		.code = COAP_POST,
		.duration_ms = DURATION_MS,
		.timeout_ms = TIMEOUT_MS,
		.verify = 1,
		.family = AF_UNSPEC,
		.sockets = SOCKETS,
		.core = -1,
		.mtu = MTU,
		.sources = {.port_first = 1024, .ports = 65536 - 1024},
		.source_mac = {2, 0, 0, 0, 0, 2},
	};
	opterr = 0; // the words are ours
	while ((option = getopt_long(argc, argv, "k:n:m:Nd:s:O:r:w:t:b:46qhV", longs, NULL)) !=
		-1) {
		switch (option) {
		case 'h':
			fputs(help, stdout);
			return LOAD_ARGS_DONE;
		case 'V':
			printf("postern-load %s\n", POSTERN_VERSION);
			return LOAD_ARGS_DONE;
		case '?':
			error_set(f, -EINVAL,
				"%s is not known, or its value is missing; try postern-load --help",
				argv[optind - 1]);
			return LOAD_ARGS_WRONG;
		}
		if (set_option(args, option, optarg, f))
			return LOAD_ARGS_WRONG;
	}
	return finish(args, argv + optind, argc - optind, f) ? LOAD_ARGS_WRONG : LOAD_ARGS_RUN;
}

void load_args_free(struct load_args *args)
{
	option_list_free(&args->options);
	free(args->payload);
}
