// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/args.h"

#include "gw/tools/coap/exchange.h"
#include "gw/tools/coap/formats.h"
#include "gw/tools/coap/number.h"
#include "gw/tools/coap/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define TIMEOUT_MS     93000 // MAX_TRANSMIT_WAIT (RFC 7252 section 4.8.2)
#define ACK_TIMEOUT_MS 2000
#define RETRANSMIT     4

static const char help[] =
	"usage: postern-coap [METHOD] URI -c CONTEXT.json [OPTION]...\n"
	"       postern-coap [METHOD] URI --edhoc DEVICE.json [OPTION]...\n"
	"       postern-coap --edhoc-make DEVICE.json [--edhoc-name NAME] [OPTION]...\n"
	"Sends a CoAP request protected with OSCORE and prints the payload of the answer.\n"
	"\n"
	"METHOD is get, put, post, delete, fetch, patch or ipatch; without one it is post with\n"
	"a payload and get without. URI is coap://HOST[:PORT][/PATH][?QUERY].\n"
	"\n"
	"  -c, --context FILE     keys and ids of the device, as JSON (see below)\n"
	"  -d, --data DATA        payload; @FILE reads it from a file, @- from standard input\n"
	"  -x, --data-hex HEX     payload in hexadecimal\n"
	"  -f, --format FORMAT    Content-Format of the payload: json, cbor, text/plain, 50, ...\n"
	"  -a, --accept FORMAT    Accept, likewise (--formats lists them)\n"
	"  -O, --option NAME=VAL  any other option: -O etag=0x0102 -O max-age=5 -O 2049=0xff\n"
	"  -b, --block-size SZX   blocks of 16 (0), 32 (1), .. 1024 (6) bytes, both ways (6)\n"
	"      --max-body BYTES   no body longer than that (64M)\n"
	"      --no-blocks        everything in one datagram; the answer as it comes\n"
	"  -N, --non              non-confirmable: sent once, not acknowledged\n"
	"  -o, --output FILE      write the payload of the answer to FILE\n"
	"      --observe          register for notifications, and print each with its number and\n"
	"                         age, until it is stopped or the resource ends it\n"
	"      --count N          end the registration after N notifications\n"
	"  -i, --include          print code and options of the answer before its payload\n"
	"      --json             print the whole result as JSON\n"
	"  -v, --verbose          show messages, options, Partial IV and nonce; -vv: all bytes\n"
	"  -q, --quiet            say nothing but errors\n"
	"  -t, --timeout SECONDS  give up if a message is not answered in this time (93)\n"
	"      --ack-timeout SEC  first wait for an acknowledgement (2), doubled each time\n"
	"      --retransmit N     retransmissions of a confirmable request (4)\n"
	"  -s, --state FILE       sequence number file (the context's name and .seq)\n"
	"  -4, -6                 IPv4 or IPv6 only\n"
	"      --bind ADDRESS     send from this address\n"
	"  -p, --port PORT        send from this port\n"
	"      --token HEX        this token (random)\n"
	"      --no-id-context    do not send the ID Context\n"
	"      --no-echo          do not answer an Echo challenge\n"
	"      --b2               derive the context by RFC 8613 appendix B.2, and keep it\n"
	"      --b2-new           the same, as a device that has lost the one before\n"
	"      --edhoc FILE       make the context by EDHOC (RFC 9528) with the key pair in FILE,\n"
	"                         and keep it; message_3 goes with the first request (RFC 9668)\n"
	"      --edhoc-gateway FILE  credentials of the gateway, as --edhoc-make printed them\n"
	"      --edhoc-new        make a context even if one is kept\n"
	"      --edhoc-apart      message_3 by itself\n"
	"      --edhoc-message-4  by itself, and message_4 as its answer\n"
	"      --edhoc-make FILE  make a key pair for --edhoc; prints its credential\n"
	"      --edhoc-name NAME, --edhoc-kid HEX, --edhoc-key p256|x25519|ed25519\n"
	"                         what is in it (no name, 4 random bytes, p256)\n"
	"      --plain            without OSCORE and without a context\n"
	"  -h, --help  -V, --version  --formats\n"
	"\n"
	"The context is one JSON object of hexadecimal strings, seen from the device:\n"
	"  { \"master_secret\": \"0102030405060708090a0b0c0d0e0f10\", \"master_salt\": \"9e7c\",\n"
	"    \"sender_id\": \"01\", \"recipient_id\": \"\", \"algorithm\": \"AES-CCM-16-64-128\" "
	"}\n"
	"sender_id may be called device_id, recipient_id gateway_id; id_context is optional, as\n"
	"are master_salt and algorithm. All users but the owner must be kept from reading it.\n"
	"\n"
	"Exit status: 0 an answer 2.xx, 4 an answer 4.xx, 5 an answer 5.xx, 1 a local failure,\n"
	"2 wrong usage, 3 no answer, 6 an answer without protection, 7 only answers that do not\n"
	"verify, 8 the request was rejected (Reset), 9 the handshake of --edhoc failed.\n";

enum {
	OPT_JSON = 256,
	OPT_ACK,
	OPT_RETRANSMIT,
	OPT_TOKEN,
	OPT_NO_ID,
	OPT_B2,
	OPT_B2_NEW,
	OPT_NO_ECHO,
	OPT_PLAIN,
	OPT_FORMATS,
	OPT_BIND,
	OPT_MAX_BODY,
	OPT_NO_BLOCKS,
	OPT_OBSERVE,
	OPT_COUNT,
	OPT_EDHOC,
	OPT_EDHOC_GATEWAY,
	OPT_EDHOC_NEW,
	OPT_EDHOC_APART,
	OPT_EDHOC_MESSAGE_4,
	OPT_EDHOC_MAKE,
	OPT_EDHOC_NAME,
	OPT_EDHOC_KID,
	OPT_EDHOC_KEY,
};

static const struct option longs[] = {
	{"context", required_argument, NULL, 'c'},
	{"data", required_argument, NULL, 'd'},
	{"data-hex", required_argument, NULL, 'x'},
	{"format", required_argument, NULL, 'f'},
	{"accept", required_argument, NULL, 'a'},
	{"option", required_argument, NULL, 'O'},
	{"non", no_argument, NULL, 'N'},
	{"output", required_argument, NULL, 'o'},
	{"include", no_argument, NULL, 'i'},
	{"json", no_argument, NULL, OPT_JSON},
	{"verbose", no_argument, NULL, 'v'},
	{"quiet", no_argument, NULL, 'q'},
	{"timeout", required_argument, NULL, 't'},
	{"ack-timeout", required_argument, NULL, OPT_ACK},
	{"retransmit", required_argument, NULL, OPT_RETRANSMIT},
	{"state", required_argument, NULL, 's'},
	{"block-size", required_argument, NULL, 'b'},
	{"max-body", required_argument, NULL, OPT_MAX_BODY},
	{"no-blocks", no_argument, NULL, OPT_NO_BLOCKS},
	{"observe", no_argument, NULL, OPT_OBSERVE},
	{"count", required_argument, NULL, OPT_COUNT},
	{"bind", required_argument, NULL, OPT_BIND},
	{"port", required_argument, NULL, 'p'},
	{"token", required_argument, NULL, OPT_TOKEN},
	{"no-id-context", no_argument, NULL, OPT_NO_ID},
	{"no-echo", no_argument, NULL, OPT_NO_ECHO},
	{"b2", no_argument, NULL, OPT_B2},
	{"b2-new", no_argument, NULL, OPT_B2_NEW},
	{"edhoc", required_argument, NULL, OPT_EDHOC},
	{"edhoc-gateway", required_argument, NULL, OPT_EDHOC_GATEWAY},
	{"edhoc-new", no_argument, NULL, OPT_EDHOC_NEW},
	{"edhoc-apart", no_argument, NULL, OPT_EDHOC_APART},
	{"edhoc-message-4", no_argument, NULL, OPT_EDHOC_MESSAGE_4},
	{"edhoc-make", required_argument, NULL, OPT_EDHOC_MAKE},
	{"edhoc-name", required_argument, NULL, OPT_EDHOC_NAME},
	{"edhoc-kid", required_argument, NULL, OPT_EDHOC_KID},
	{"edhoc-key", required_argument, NULL, OPT_EDHOC_KEY},
	{"plain", no_argument, NULL, OPT_PLAIN},
	{"formats", no_argument, NULL, OPT_FORMATS},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static void print_formats(void)
{
	const char *name;
	uint16_t number;

	for (size_t i = 0; (name = format_at(i, &number)); i++)
		printf("%5u  %s\n", number, name);
}

// Reads up to one byte more than there may be.
static int read_all(struct client_args *args, int fd, const char *path, struct error *f)
{
	size_t room = 0;

	for (;;) {
		if (args->payload_len == room) {
			room = room ? 2 * room : 64 * 1024;
			if (room > args->body_max + 1)
				room = args->body_max + 1;
			uint8_t *grown = realloc(args->payload, room);

			if (!grown)
				return error_set(f, -ENOMEM, "out of memory");
			args->payload = grown;
		}
		ssize_t n = read(fd, args->payload + args->payload_len, room - args->payload_len);

		if (n < 0)
			return error_set(f, -errno, "%s: %s", path, strerror(errno));
		if (!n)
			return 0;
		args->payload_len += (size_t)n;
		if (args->payload_len > args->body_max)
			return error_set(f, -EMSGSIZE, "%s: more than %zu bytes (--max-body)", path,
				args->body_max);
	}
}

static int read_payload(struct client_args *args, const char *path, struct error *f)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;

	if (fd < 0)
		return error_set(f, -errno, "%s: %s", path, strerror(errno));
	int err = read_all(args, fd, path, f);
	if (fd != STDIN_FILENO)
		close(fd);
	return err;
}

// The payload that the words of -d or -x stand for.
static int set_payload(struct client_args *args, struct error *f)
{
	const char *text = args->payload_text;
	size_t len = strlen(text);

	if (args->payload_option == 'd' && *text == '@')
		return read_payload(args, text + 1, f);
	args->payload = malloc(len + 1);
	if (!args->payload)
		return error_set(f, -ENOMEM, "out of memory");
	args->payload_len = len;
	if (args->payload_option == 'd') {
		memcpy(args->payload, text, len);
	} else {
		int bytes = hex_parse(text, args->payload, len);

		if (bytes < 0)
			return error_set(f, -EINVAL, "the payload is not hexadecimal");
		args->payload_len = (size_t)bytes;
	}
	if (args->payload_len > args->body_max)
		return error_set(f, -EMSGSIZE, "the payload has more than %zu bytes (--max-body)",
			args->body_max);
	return 0;
}

static int add_format(struct client_args *args, uint16_t option, const char *text, struct error *f)
{
	uint16_t number;

	if (!format_parse(text, &number))
		return error_set(f, -EINVAL,
			"no content format is called \"%s\" (--formats lists them)", text);
	return option_add_uint(&args->options, option, number, f);
}

static int set_token(struct client_args *args, const char *text, struct error *f)
{
	int len = hex_parse(text, args->token, sizeof(args->token));

	if (len < 0)
		return error_set(f, -EINVAL, "the token is not up to %d bytes in hexadecimal",
			TOKEN_LEN_MAX);
	args->token_len = (size_t)len;
	args->has_token = true;
	return 0;
}

static int set_seconds(unsigned *ms, const char *text, struct error *f)
{
	if (!seconds_parse(text, ms))
		return error_set(f, -EINVAL, "\"%s\" is not a time in seconds", text);
	return 0;
}

// A number of bytes, with k or M behind it for 1024 and 1024 times 1024 of them.
static int set_body_max(struct client_args *args, const char *text, struct error *f)
{
	char digits[16] = "";
	size_t len = strlen(text);
	unsigned shift = len && text[len - 1] == 'M' ? 20 : len && text[len - 1] == 'k' ? 10 : 0;
	uint64_t number;

	if (shift)
		len--;
	if (len < sizeof(digits))
		memcpy(digits, text, len);
	if (!number_parse(digits, TRANSFER_BODY_CEILING >> shift, &number))
		return error_set(f, -EINVAL, "\"%s\" is not a number of bytes up to 1024M", text);
	args->body_max = (size_t)number << shift;
	return 0;
}

static int set_szx(struct client_args *args, const char *text, struct error *f)
{
	uint64_t number;

	if (!number_parse(text, COAP_SZX_MAX, &number))
		return error_set(f, -EINVAL,
			"-b takes 0 to 6, for blocks of 16 to 1024 bytes, and not \"%s\"", text);
	args->szx = (uint8_t)number;
	args->has_szx = true;
	return 0;
}

static int set_number(uint64_t max, const char *text, uint64_t *number, struct error *f)
{
	if (!number_parse(text, max, number))
		return error_set(f, -EINVAL, "\"%s\" is not a number up to %llu", text,
			(unsigned long long)max);
	return 0;
}

// Options without a value. False if it is none of them.
static bool set_switch(struct client_args *args, int option)
{
	switch (option) {
	case 'N':
		args->non = true;
		return true;
	case 'i':
		args->include = true;
		return true;
	case OPT_JSON:
		args->json = true;
		return true;
	case 'v':
		args->verbose++;
		return true;
	case 'q':
		args->quiet = true;
		return true;
	case '4':
		args->family = AF_INET;
		return true;
	case '6':
		args->family = AF_INET6;
		return true;
	case OPT_NO_ID:
		args->no_id_context = true;
		return true;
	case OPT_NO_ECHO:
		args->no_echo = true;
		return true;
	case OPT_B2_NEW:
		args->b2_new = true;
		// fall through
	case OPT_B2:
		args->b2 = true;
		return true;
	case OPT_PLAIN:
		args->plain = true;
		return true;
	case OPT_EDHOC_NEW:
		args->edhoc_new = true;
		return true;
	case OPT_EDHOC_APART:
		args->edhoc_apart = true;
		return true;
	case OPT_EDHOC_MESSAGE_4:
		args->edhoc_message_4 = true;
		return true;
	case OPT_NO_BLOCKS:
		args->one = true;
		return true;
	case OPT_OBSERVE:
		args->observe = true;
		return true;
	default:
		return false;
	}
}

static int set_kid(struct client_args *args, const char *text, struct error *f)
{
	int len = hex_parse(text, args->make_kid, sizeof(args->make_kid));

	if (len <= 0)
		return error_set(
			f, -EINVAL, "the kid is not 1 to %d bytes in hexadecimal", MAKE_KID_MAX);
	args->make_kid_len = (size_t)len;
	return 0;
}

static int set_curve(struct client_args *args, const char *text, struct error *f)
{
	static const char *const names[] = {
		[ECC_P256] = "p256", [ECC_X25519] = "x25519", [ECC_ED25519] = "ed25519"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(text, names[i])) {
			args->make_curve = (enum ecc_curve)i;
			return 0;
		}
	return error_set(f, -EINVAL, "--edhoc-key takes p256, x25519 or ed25519");
}

// Options of EDHOC with a value. *known: it is one of them.
static int set_edhoc(
	struct client_args *args, int option, const char *text, bool *known, struct error *f)
{
	*known = true;
	switch (option) {
	case OPT_EDHOC:
		args->edhoc_path = text;
		return 0;
	case OPT_EDHOC_GATEWAY:
		args->edhoc_gateway_path = text;
		return 0;
	case OPT_EDHOC_MAKE:
		args->make_path = text;
		return 0;
	case OPT_EDHOC_NAME:
		args->make_name = text;
		return 0;
	case OPT_EDHOC_KID:
		return set_kid(args, text, f);
	case OPT_EDHOC_KEY:
		return set_curve(args, text, f);
	}
	*known = false;
	return 0;
}

static int set_option(struct client_args *args, int option, char *text, struct error *f)
{
	uint64_t number = 0;
	bool known = set_switch(args, option);
	int err = known ? 0 : set_edhoc(args, option, text, &known, f);

	if (known)
		return err;
	switch (option) {
	case 'c':
		args->context_path = text;
		return 0;
	case 'd':
	case 'x':
		if (args->payload_text)
			return error_set(f, -EINVAL, "there is one payload: -d or -x, and once");
		args->payload_text = text;
		args->payload_option = option;
		return 0;
	case 'b':
		return set_szx(args, text, f);
	case OPT_MAX_BODY:
		return set_body_max(args, text, f);
	case 'f':
		return add_format(args, COAP_OPT_CONTENT_FORMAT, text, f);
	case 'a':
		return add_format(args, COAP_OPT_ACCEPT, text, f);
	case 'O':
		return option_add_words(&args->options, text, f);
	case 'o':
		args->output_path = text;
		return 0;
	case 't':
		return set_seconds(&args->timeout_ms, text, f);
	case OPT_ACK:
		return set_seconds(&args->ack_timeout_ms, text, f);
	case OPT_RETRANSMIT:
		err = set_number(RETRANSMIT_MAX, text, &number, f);
		args->retransmit_max = (unsigned)number;
		return err;
	case 's':
		args->sequence_path = text;
		return 0;
	case OPT_BIND:
		args->bind_address = text;
		return 0;
	case 'p':
		err = set_number(UINT16_MAX, text, &number, f);
		args->bind_port = (uint16_t)number;
		return err;
	case OPT_COUNT:
		err = set_number(UINT32_MAX, text, &number, f);
		args->count = (uint32_t)number;
		return err;
	case OPT_TOKEN:
		return set_token(args, text, f);
	default:
		return -EINVAL;
	}
}

// Where the context comes from.
static int check_context(const struct client_args *args, struct error *f)
{
	const int ways = !!args->context_path + !!args->edhoc_path + args->plain;

	if (!ways)
		return error_set(f, -EINVAL,
			"no context: -c FILE, --edhoc FILE, or --plain to send it unprotected");
	if (args->context_path && args->plain)
		return error_set(f, -EINVAL, "--plain has no use for a context");
	if (ways > 1)
		return error_set(f, -EINVAL, "--edhoc has no use with -c or --plain");
	if (args->b2 && (!args->context_path || args->no_id_context))
		return error_set(
			f, -EINVAL, "--b2 has no use with --plain, --edhoc or --no-id-context");
	if (!args->edhoc_path &&
		(args->edhoc_gateway_path || args->edhoc_new || args->edhoc_apart ||
			args->edhoc_message_4))
		return error_set(f, -EINVAL, "this option has a use with --edhoc only");
	return 0;
}

static int check_make(struct client_args *args, int words, struct error *f)
{
	if (words)
		return error_set(f, -EINVAL, "--edhoc-make takes no URI");
	if (!args->make_kid_len) {
		args->make_kid_len = MAKE_KID_LEN;
		randombytes_buf(args->make_kid, MAKE_KID_LEN);
	}
	return 0;
}

static int finish(struct client_args *args, char **words, int count, struct error *f)
{
	const char *uri;

	if (!count)
		return error_set(f, -EINVAL, "no URI; try postern-coap --help");
	args->code = coap_method_from_name(words[0]);
	if (args->code == COAP_EMPTY) {
		args->code = args->payload_text ? COAP_POST : COAP_GET;
		uri = words[0];
		if (count > 1 && strstr(words[1], "://"))
			return error_set(f, -EINVAL, "\"%s\" is no method", words[0]);
	} else {
		uri = words[1];
		words++, count--;
	}
	if (count < 1)
		return error_set(f, -EINVAL, "no URI behind the method");
	if (count > 1)
		return error_set(f, -EINVAL, "\"%s\" is one argument too many", words[1]);
	int err = check_context(args, f);

	if (err)
		return err;
	if (args->count && !args->observe)
		return error_set(f, -EINVAL, "--count has no use without --observe");
	if (args->observe && args->code != COAP_GET && args->code != COAP_FETCH)
		return error_set(f, -EINVAL, "--observe is for get and fetch");
	if (args->observe && args->output_path)
		return error_set(f, -EINVAL, "--observe writes to standard output only");
	// Who writes Block options by hand wants these and no others.
	static const uint16_t by_hand[] = {
		COAP_OPT_BLOCK1, COAP_OPT_BLOCK2, COAP_OPT_Q_BLOCK1, COAP_OPT_Q_BLOCK2};
	for (size_t i = 0; i < sizeof(by_hand) / sizeof(by_hand[0]); i++)
		args->one |= option_has(&args->options, by_hand[i]);
	if (args->one && args->has_szx)
		return error_set(f, -EINVAL, "-b has no use with --no-blocks or Block options");
	err = uri_parse(&args->uri, uri, &args->options, f);
	if (!err && args->observe) {
		option_remove(&args->options, COAP_OPT_OBSERVE);
		err = option_add(&args->options, COAP_OPT_OBSERVE, "", 0, f);
	}
	return err || !args->payload_text ? err : set_payload(args, f);
}

enum args_result args_parse(struct client_args *args, int argc, char **argv, struct error *f)
{
	int option;

	*args = (struct client_args){
		.family = AF_UNSPEC,
		.timeout_ms = TIMEOUT_MS,
		.ack_timeout_ms = ACK_TIMEOUT_MS,
		.retransmit_max = RETRANSMIT,
		.szx = COAP_SZX_MAX,
		.body_max = TRANSFER_BODY_MAX,
	};
	opterr = 0; // the words are ours
	while ((option = getopt_long(argc, argv, "c:d:x:f:a:O:No:ivqt:s:46b:p:hV", longs, NULL)) !=
		-1) {
		switch (option) {
		case 'h':
			fputs(help, stdout);
			return ARGS_DONE;
		case 'V':
			printf("postern-coap %s\n", POSTERN_VERSION);
			return ARGS_DONE;
		case OPT_FORMATS:
			print_formats();
			return ARGS_DONE;
		case '?':
			error_set(f, -EINVAL,
				"%s is not known, or its value is missing; try postern-coap --help",
				argv[optind - 1]);
			return ARGS_WRONG;
		}
		if (set_option(args, option, optarg, f))
			return ARGS_WRONG;
	}
	if (args->make_path)
		return check_make(args, argc - optind, f) ? ARGS_WRONG : ARGS_MAKE;
	if (finish(args, argv + optind, argc - optind, f))
		return ARGS_WRONG;
	return ARGS_RUN;
}

void args_free(struct client_args *args)
{
	option_list_free(&args->options);
	free(args->payload);
}
