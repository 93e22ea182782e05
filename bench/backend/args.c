// SPDX-License-Identifier: BSD-3-Clause

#include "bench/backend/args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"usage: postern-backend [OPTION]...\n"
	"An HTTP/1.1 backend for tests and benchmarks: each request says by its query how it is "
	"to\n"
	"be answered. Prints the URL of each socket when it listens; SIGTERM ends it.\n"
	"\n"
	"  -l, --listen ADDRESS    127.0.0.1:PORT, [::1]:PORT (0: any free port) or unix:PATH, as\n"
	"                          often as wanted (127.0.0.1:8080)\n"
	"      --ready-fd N        print the URLs to this descriptor and close it\n"
	"      --until-eof         end when standard input ends, too\n"
	"      --cert FILE         TLS on all sockets, with this certificate and its chain\n"
	"      --key FILE          of the certificate, if that is not in the same file\n"
	"      --client-ca FILE    ask clients for a certificate of these authorities\n"
	"      --tls VERSION       1.2 or 1.3 only\n"
	"      --no-tickets        no sessions to resume\n"
	"      --rekey MS          TLS 1.3: a ticket and a KeyUpdate after so long without a byte\n"
	"  -t, --threads N         (1)\n"
	"      --idle MS           close a connection after so long without a byte (never)\n"
	"      --max-requests N    of a connection: the last answer says Connection: close\n"
	"  -a, --answer QUERY      how to answer what its query says nothing of\n"
	"  -d, --discard           204 to all, whatever the query says, with the least work\n"
	"  -c, --count             count requests by Idempotency-Key: GET /stats has the counters\n"
	"                          as JSON and the keys that came more than once, /stats?keys=1\n"
	"                          all; the same is printed at the end\n"
	"      --log FILE          append a line of JSON for each request before it is answered\n"
	"  -n, --name TEXT         of this backend, in its answers and the log\n"
	"      --seed N            of what happens at random (1)\n"
	"\n"
	"Queries (KEY=VALUE&...; other keys are passed over):\n";

static unsigned long number(const char *text, unsigned long least, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < least || value > most) {
		fprintf(stderr,
			"postern-backend: %s must be a number from %lu to %lu (see --help)\n", text,
			least, most);
		exit(2);
	}
	return value;
}

static void refuse(const char *what, const char *why)
{
	fprintf(stderr, "postern-backend: %s: %s (see --help)\n", what, why);
	exit(2);
}

enum {
	OPT_READY_FD = 256,
	OPT_UNTIL_EOF,
	OPT_CERT,
	OPT_KEY,
	OPT_CLIENT_CA,
	OPT_TLS,
	OPT_NO_TICKETS,
	OPT_REKEY,
	OPT_IDLE,
	OPT_MAX_REQUESTS,
	OPT_LOG,
	OPT_SEED,
};

static int tls_version(const char *text)
{
	if (strcmp(text, "1.2") && strcmp(text, "1.3"))
		refuse(text, "no version of TLS that can be had");
	return text[2] == '2' ? TLS1_2_VERSION : TLS1_3_VERSION;
}

static void option_tls(struct be_tls_options *o, int option, const char *value)
{
	switch (option) {
	case OPT_CERT:
		o->cert = value;
		break;
	case OPT_KEY:
		o->key = value;
		break;
	case OPT_CLIENT_CA:
		o->client_ca = value;
		break;
	case OPT_TLS:
		o->version = tls_version(value);
		break;
	case OPT_NO_TICKETS:
		o->no_tickets = true;
		break;
	default:
		exit(2); // getopt has said why
	}
}

static void option_take(struct be_args *a, int option, char *value)
{
	char why[BE_WHY_MAX];

	switch (option) {
	case 'l':
		if (a->listens == BE_LISTEN_MAX)
			refuse(value, "too many sockets");
		a->listen[a->listens++] = value;
		break;
	case 'a':
		if (!be_behaviour_parse(&a->behaviour, value, why))
			refuse("--answer", why);
		break;
	case 't':
		a->threads = number(value, 1, 64);
		break;
	case 'd':
		a->discard = true;
		a->behaviour.status = 204;
		break;
	case 'c':
		a->count = true;
		break;
	case 'n':
		a->name = value;
		break;
	case OPT_READY_FD:
		a->ready_fd = (int)number(value, 1, 1 << 20);
		break;
	case OPT_UNTIL_EOF:
		a->until_eof = true;
		break;
	case OPT_REKEY:
		a->rekey_ms = number(value, 1, 86400000);
		break;
	case OPT_IDLE:
		a->idle_ms = number(value, 1, 86400000);
		break;
	case OPT_MAX_REQUESTS:
		a->max_requests = number(value, 1, 1000000000);
		break;
	case OPT_LOG:
		a->log = value;
		break;
	case OPT_SEED:
		a->seed = number(value, 0, UINT32_MAX);
		break;
	case 'h':
		fputs(help, stdout);
		fputs(be_behaviour_help, stdout);
		exit(0);
	default:
		option_tls(&a->tls, option, value);
	}
}

void be_args_parse(struct be_args *a, int argc, char **argv)
{
	static const struct option longs[] = {
		{"listen", required_argument, NULL, 'l'},
		{"ready-fd", required_argument, NULL, OPT_READY_FD},
		{"until-eof", no_argument, NULL, OPT_UNTIL_EOF},
		{"cert", required_argument, NULL, OPT_CERT},
		{"key", required_argument, NULL, OPT_KEY},
		{"client-ca", required_argument, NULL, OPT_CLIENT_CA},
		{"tls", required_argument, NULL, OPT_TLS},
		{"no-tickets", no_argument, NULL, OPT_NO_TICKETS},
		{"threads", required_argument, NULL, 't'},
		{"rekey", required_argument, NULL, OPT_REKEY},
		{"idle", required_argument, NULL, OPT_IDLE},
		{"max-requests", required_argument, NULL, OPT_MAX_REQUESTS},
		{"answer", required_argument, NULL, 'a'},
		{"discard", no_argument, NULL, 'd'},
		{"count", no_argument, NULL, 'c'},
		{"log", required_argument, NULL, OPT_LOG},
		{"name", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, OPT_SEED},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	*a = (struct be_args){
		.behaviour = be_behaviour_default,
		.name = "",
		.threads = 1,
		.seed = 1,
		.ready_fd = -1,
	};
	while ((option = getopt_long(argc, argv, "l:t:a:dcn:h", longs, NULL)) != -1)
		option_take(a, option, optarg);
	if (optind < argc)
		refuse(argv[optind], "no option");
	if (!a->listens)
		a->listen[a->listens++] = "127.0.0.1:8080";
	if (!a->tls.cert && (a->tls.key || a->tls.client_ca))
		refuse("--key and --client-ca", "there is no --cert");
}
