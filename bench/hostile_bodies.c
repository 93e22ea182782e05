// SPDX-License-Identifier: BSD-3-Clause
// Devices with valid keys that do with blocks what no decent device would, at a rate. Answers are
// taken from the sockets and not looked at: what came of it, the gateway's counters say.

#include "base/clock.h"
#include "bench/load/devices.h"
#include "bench/load/request.h"
#include "bench/load/transport.h"
#include "dataplane/coap/block.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BLOCK   1024
#define SOCKETS 64
#define LOST_NS 2000000000 // without an answer to any: those that are missing will not come
#define TAGS    8          // bytes of a Request-Tag

static const char help[] =
	"usage: hostile_bodies -k FILE [OPTION]... KIND\n"
	"What devices with valid keys can do with blocks, at a rate; the answers are not looked "
	"at.\n"
	"  -k, --keys FILE    the devices (CSV as for posternctl device import)\n"
	"  -s, --server HOST  (192.0.2.1)\n"
	"  -r, --rate N       messages a second (1000)\n"
	"  -w, --window N     most messages without an answer (no limit)\n"
	"  -n, --messages N   so many, in turn of all devices (1000)\n"
	"  -d, --depth N      blocks of a body of half, sent and tags (1)\n"
	"  -p, --piv N        Partial IV of each device's first message (0)\n"
	"  -b, --big N        bytes of the answers of fetch and later (1000000)\n"
	"Prints JSON: messages, answers, and the Partial IV for the next run.\n"
	"Kinds:\n"
	"  half     bodies that are begun, each with a Request-Tag of its own, and left\n"
	"  sent     bodies that are completed\n"
	"  gaps     every other block is missing\n"
	"  endless  block after block of one body, which has no end\n"
	"  szx7     the reserved size\n"
	"  format   Content-Format changes from block to block\n"
	"  tags     each message has another Request-Tag, also those for later blocks\n"
	"  fetch    first blocks of large answers, and no other\n"
	"  later    later blocks of answers that nobody asked for\n"
	"  small    a small request without blocks, for comparison\n"
	"  mixed    each device does one of these, without fetch, later and small\n";

enum kind {
	HALF,
	SENT,
	GAPS,
	ENDLESS,
	SZX7,
	FORMAT,
	TAG_STORM,
	FETCHES,
	LATER,
	SMALL,
	MIXED,
	KINDS
};
static const char *const kinds[] = {"half", "sent", "gaps", "endless", "szx7", "format", "tags",
	"fetch", "later", "small", "mixed"};

struct options {
	const char *keys, *server;
	unsigned long rate, window, messages, depth, piv, big;
	enum kind kind;
};

// What one message says.
struct message {
	uint8_t code;
	bool has_block1, has_block2, has_tag;
	struct coap_block block; // of either
	uint64_t tag;
	uint32_t format;
	size_t len; // of the payload
};

// Of which payloads consist, so that they can be searched for in the gateway's memory.
static const char marker[] = "hostile payload!";

static void give_up(const char *why)
{
	fprintf(stderr, "hostile_bodies: %s\n", why);
	exit(1);
}

// Message number n of a device that does this.
static struct message message_of(const struct options *o, enum kind kind, unsigned long n)
{
	uint32_t depth = (uint32_t)o->depth;
	struct message m = {.code = COAP_PUT,
		.has_block1 = true,
		.block = {.szx = COAP_SZX_MAX, .more = true},
		.format = 42,
		.len = BLOCK};

	switch (kind) {
	case SENT:
		m.code = COAP_POST;
		m.block.more = n % depth != depth - 1;
		// fall through
	case HALF:
		m.has_tag = true;
		m.tag = n / depth;
		m.block.num = (uint32_t)(n % depth);
		break;
	case GAPS:
		m.block.num = n % 2 ? 2 : 0;
		break;
	case FORMAT:
		m.block.num = n % 2;
		m.format += (uint32_t)n;
		break;
	case ENDLESS:
		m.block.num = (uint32_t)n & COAP_BLOCK_NUM_MAX;
		break;
	case SZX7:
		m.block.szx = COAP_SZX_RESERVED;
		break;
	case TAG_STORM:
		m.has_tag = true;
		m.tag = n * UINT64_C(0x9e3779b97f4a7c15);
		m.block.num = (uint32_t)(n % depth);
		break;
	case FETCHES:
	case LATER:
		m = (struct message){.code = COAP_GET,
			.has_block2 = true,
			.block = {.szx = COAP_SZX_MAX,
				.num = kind == LATER ? 1 + (uint32_t)n % 900 : 0}};
		break;
	default:
		m = (struct message){.code = COAP_POST, .len = 32, .format = 42};
	}
	return m;
}

static uint16_t plaintext_write(
	const struct options *o, const struct message *m, uint8_t *out, size_t room)
{
	static uint8_t payload[BLOCK];
	struct coap_writer w;
	char size[32];

	for (size_t i = 0; !payload[0] && i < BLOCK / (sizeof(marker) - 1); i++)
		memcpy(payload + i * (sizeof(marker) - 1), marker, sizeof(marker) - 1);
	coap_writer_init(&w, out, room);
	coap_write_code(&w, m->code);
	if (m->has_block2) {
		snprintf(size, sizeof(size), "size=%lu", o->big);
		coap_write_option(&w, COAP_OPT_URI_PATH, "big", 3);
		coap_write_option(&w, COAP_OPT_URI_QUERY, size, strlen(size));
		coap_write_option_uint(&w, COAP_OPT_BLOCK2, coap_block_value(&m->block));
	} else {
		coap_write_option(&w, COAP_OPT_URI_PATH, "up", 2);
		coap_write_option_uint(&w, COAP_OPT_CONTENT_FORMAT, m->format);
	}
	if (m->has_block1)
		coap_write_option_uint(&w, COAP_OPT_BLOCK1, coap_block_value(&m->block));
	if (m->has_tag)
		coap_write_option(&w, COAP_OPT_REQUEST_TAG, &m->tag, TAGS);
	coap_write_payload(&w, payload, m->len);
	if (w.failed)
		give_up("a message is too long");
	return (uint16_t)coap_writer_len(&w);
}

// All that is sent, in turn of the devices. Returns how many answers came meanwhile.
static unsigned long run(
	const struct options *o, const struct load_devices *devices, struct transport *t)
{
	struct aead_engine *engine = aead_engine_create(NULL);
	uint64_t start = clock_ns();
	unsigned long sent = 0, answers = 0, lost = 0;
	uint64_t heard = start;
	uint8_t plaintext[2048];

	if (!engine)
		give_up("out of memory");
	while (sent < o->messages) {
		uint64_t due = (clock_ns() - start) * o->rate / 1000000000;
		struct datagram datagrams[TRANSPORT_BATCH];
		unsigned n = 0, gone = 0;

		if (clock_ns() - heard > LOST_NS)
			lost = sent - answers;
		while (n < TRANSPORT_BATCH && sent + n < o->messages && sent + n < due &&
			(!o->window || sent + n - answers - lost < o->window))
			n++;
		n = t->ops->buffers(t, datagrams, n);
		for (unsigned i = 0; i < n; i++) {
			unsigned long number = sent + i, mine = number / devices->count;
			enum kind kind =
				o->kind == MIXED ? number % devices->count % FETCHES : o->kind;
			struct message m = message_of(o, kind, mine);
			struct request_form form = {
				.type = COAP_NON,
				.plaintext = plaintext,
				.plaintext_len =
					plaintext_write(o, &m, plaintext, sizeof(plaintext)),
			};
			struct request_item item = {
				.device = &devices->device[number % devices->count],
				.piv = o->piv + mine,
				.mid = (uint16_t)number,
				.out = datagrams[i].data,
			};

			memcpy(item.token, &number, sizeof(item.token));
			if (request_seal_batch(&form, engine, &item, 1))
				give_up("a message cannot be sealed");
			datagrams[i].len = item.len;
			datagrams[i].endpoint = (uint32_t)(number % devices->count % t->endpoints);
		}
		while (gone < n)
			gone += t->ops->send(t, datagrams + gone, n - gone);
		sent += n;
		if (!n)
			t->ops->wait(t, 200000);
		n = t->ops->receive(t, datagrams, TRANSPORT_BATCH);
		if (n)
			heard = clock_ns();
		answers += n;
		lost = lost < sent - answers ? lost : sent - answers;
	}
	aead_engine_free(engine);
	return answers;
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end) {
		fprintf(stderr, "hostile_bodies: %s is no number\n", text);
		exit(2);
	}
	return value;
}

static void options_parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"keys", required_argument, NULL, 'k'},
		{"server", required_argument, NULL, 's'},
		{"rate", required_argument, NULL, 'r'},
		{"window", required_argument, NULL, 'w'},
		{"messages", required_argument, NULL, 'n'},
		{"depth", required_argument, NULL, 'd'},
		{"piv", required_argument, NULL, 'p'},
		{"big", required_argument, NULL, 'b'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	unsigned long *const numbers[] = {
		['r'] = &o->rate,
		['w'] = &o->window,
		['n'] = &o->messages,
		['d'] = &o->depth,
		['p'] = &o->piv,
		['b'] = &o->big,
	};
	int option;

	while ((option = getopt_long(argc, argv, "k:s:r:w:n:d:p:b:h", longs, NULL)) != -1) {
		if (option == 'k')
			o->keys = optarg;
		else if (option == 's')
			o->server = optarg;
		else if (option != 'h' && option != '?')
			*numbers[option] = number(optarg);
		else {
			fputs(help, option == 'h' ? stdout : stderr);
			exit(option == 'h' ? 0 : 2);
		}
	}
	for (o->kind = 0; o->kind < KINDS; o->kind++)
		if (optind == argc - 1 && !strcmp(argv[optind], kinds[o->kind]))
			break;
	if (o->kind == KINDS || !o->keys || !o->rate || !o->depth) {
		fputs(help, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct options o = {
		.server = "192.0.2.1", .rate = 1000, .messages = 1000, .depth = 1, .big = 1000000};
	struct load_devices devices;
	struct error error;

	options_parse(&o, argc, argv);
	if (devices_read(&devices, o.keys, 0, &error))
		give_up(error.text);
	struct transport *t = transport_udp(o.server, 5683, AF_INET, NULL, SOCKETS, &error);
	if (!t)
		give_up(error.text);
	uint64_t start = clock_ns();
	unsigned long answers = run(&o, &devices, t);
	double seconds = (double)(clock_ns() - start) / 1e9;

	printf("{\"kind\":\"%s\",\"devices\":%zu,\"messages\":%lu,\"seconds\":%.2f,\"answers\":%lu,"
	       "\"next_piv\":%lu}\n",
		kinds[o.kind], devices.count, o.messages, seconds, answers,
		o.piv + (o.messages + devices.count - 1) / devices.count);
	t->ops->close(t);
	devices_free(&devices);
	return 0;
}
