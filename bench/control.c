// SPDX-License-Identifier: BSD-3-Clause
// usage: bench_control --socket PATH --keys FILE [--gateway HOST] [--path PATH]
//                      [--commands N] [--rate N] [--runs N] [--json]
// What commands do to traffic. One device sends request after request to HOST (192.0.2.1), each
// when the one before it was answered; in turns N commands (10 000) come over the control socket
// meanwhile, --rate of them a second or one after the other, and none for as long. Tells how long
// requests took with and without, of --runs (5) of each.
//
// FILE is as postern-coap takes it, and so are its sequence numbers, from FILE.seq. The commands
// add and remove a device "bench-control", so the store is one for tests. Both threads keep off the
// CPUs of the workers, and the device goes before the commands where they share one: what is
// measured is the gateway, not this program.

#include "base/clock.h"
#include "gw/ctl/client.h"
#include "gw/tools/coap/context_file.h"
#include "gw/tools/coap/exchange.h"
#include "gw/tools/coap/secure.h"
#include "gw/tools/coap/sequence.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS    1000      // after which a request is sent again, with another number
#define SAMPLES_MAX  (1 << 22) // of a run
#define WRITES_EVERY 50        // one command of so many adds or removes a device
#define RUNS_MAX     99
#define NUMBERS_EACH 65536 // sequence numbers that are taken from the file at once

static const char spare[] = "bench-control"; // the device that is added and removed

struct options {
	const char *socket, *keys, *gateway, *path;
	unsigned long commands, rate, runs;
	bool json;
};

__attribute__((noreturn, format(printf, 2, 3))) static void quit(
	int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("bench_control: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(status);
}
#define die(...)   quit(1, __VA_ARGS__)
#define usage(...) quit(2, __VA_ARGS__)

// Times of one run.
struct samples {
	uint32_t *ns;
	size_t count;
};

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void samples_sort(struct samples *samples)
{
	if (!samples->count)
		die("nothing was answered");
	qsort(samples->ns, samples->count, sizeof(samples->ns[0]), compare);
}

// Of sorted ones, in microseconds.
static double share(const struct samples *samples, double part)
{
	return samples->ns[(size_t)(part * (double)(samples->count - 1))] / 1000.0;
}

static void sample(struct samples *samples, uint64_t begin)
{
	uint64_t took = clock_ns() - begin;

	if (samples->count < SAMPLES_MAX)
		samples->ns[samples->count++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
}

// The device.

struct device {
	struct peer peer;
	struct session session;
	const char *path;
	char *numbers;         // the file of sequence numbers
	uint64_t piv, piv_end; // of the next request; the first that is not ours
	uint8_t echo[40];
	size_t echo_len;
	uint64_t lost; // requests without an answer
	struct samples samples;
	atomic_bool stop;
};

static int request_make(struct device *device, const uint8_t token[8], uint8_t *datagram)
{
	struct option_list options = {0};
	struct protection protection;
	struct error failure;
	int failed = option_add(
		&options, COAP_OPT_URI_PATH, device->path, strlen(device->path), &failure);

	if (!failed && device->echo_len)
		failed = option_add(
			&options, COAP_OPT_ECHO, device->echo, device->echo_len, &failure);
	device->echo_len = 0;
	const struct request request = {
		.type = COAP_CON,
		.code = COAP_POST,
		.mid = (uint16_t)device->piv,
		.token = token,
		.token_len = 8,
		.options = &options,
		.payload = (const uint8_t *)"21.5",
		.payload_len = 4,
	};
	int len = failed ? failed
			 : request_seal(&device->session, &request, device->piv, datagram,
				   &protection, &failure);

	option_list_free(&options);
	if (len < 0)
		die("a request cannot be made: %s", failure.text);
	return len;
}

// Whether this is the answer to the request of this token.
static bool answer_take(
	struct device *device, const uint8_t token[8], uint8_t *datagram, size_t len)
{
	static uint8_t plaintext[DATAGRAM_MAX];
	struct answer answer = {.plaintext = plaintext};
	struct coap_option echo;
	struct coap_msg msg;

	if (coap_msg_parse(&msg, datagram, len) != COAP_OK || msg.token_len != 8 ||
		memcmp(msg.token, token, 8) != 0)
		return false;
	if (msg.type == COAP_CON) {
		const uint8_t ack[] = {
			COAP_VERSION << 6 | COAP_ACK << 4, 0, datagram[2], datagram[3]};

		if (send(device->peer.fd, ack, sizeof(ack), 0) < 0)
			die("send: %s", strerror(errno));
	}
	if (answer_open(&device->session, device->piv, &msg, &answer) != ANSWER_OK)
		die("an answer that is none: %u.%02u", msg.code >> 5, msg.code & 31);
	if (coap_option_find(&answer.body, COAP_OPT_ECHO, &echo) &&
		echo.len <= sizeof(device->echo)) {
		memcpy(device->echo, echo.value, echo.len);
		device->echo_len = echo.len;
	}
	return true;
}

static bool answer_wait(struct device *device, const uint8_t token[8])
{
	static uint8_t datagram[DATAGRAM_MAX];
	struct pollfd ready = {.fd = device->peer.fd, .events = POLLIN};

	while (poll(&ready, 1, ANSWER_MS) > 0) {
		ssize_t len = recv(device->peer.fd, datagram, sizeof(datagram), MSG_DONTWAIT);

		if (len > 0 && answer_take(device, token, datagram, len))
			return true;
	}
	return false;
}

// Every number is used once, and on the disk as used before it is.
static void numbers_take(struct device *device)
{
	struct error failure;
	bool started;

	if (sequence_take_range(device->numbers, NUMBERS_EACH, &device->piv, &started, &failure))
		die("%s", failure.text);
	device->piv_end = device->piv + NUMBERS_EACH;
}

// One request, and whether it was answered.
static bool request_answered(struct device *device)
{
	static uint8_t datagram[DATAGRAM_MAX];
	uint8_t token[8];
	bool challenged = device->echo_len;

	if (device->piv == device->piv_end)
		numbers_take(device);
	randombytes_buf(token, sizeof(token));
	int len = request_make(device, token, datagram);
	uint64_t begin = clock_ns();

	if (send(device->peer.fd, datagram, len, 0) != len)
		die("send: %s", strerror(errno));
	bool answered = answer_wait(device, token);

	device->piv++;
	if (!answered)
		device->lost++;
	else if (!challenged && !device->echo_len)
		sample(&device->samples, begin);
	return answered;
}

static void *device_run(void *arg)
{
	struct device *device = arg;
	const struct sched_param priority = {.sched_priority = 1};

	(void)sched_setscheduler(0, SCHED_FIFO, &priority); // where this is allowed
	while (!atomic_load(&device->stop))
		request_answered(device);
	return NULL;
}

static void device_init(struct device *device, const struct options *options,
	struct client_context *context, struct aead_engine *engine)
{
	struct error failure;

	if (context_file_load(context, options->keys, &failure) ||
		sequence_path(options->keys, &device->numbers, &failure) ||
		peer_connect(&device->peer, options->gateway, 5683, AF_UNSPEC, NULL, 0, &failure))
		die("%s", failure.text);
	device->session = (struct session){
		.params = &context->params,
		.keys = &context->keys,
		.engine = engine,
		.send_id_context = true,
	};
	device->path = options->path;
	device->samples.ns = calloc(SAMPLES_MAX, sizeof(uint32_t));
	if (!device->samples.ns)
		die("no memory");
	// A challenge, and the first pages of all.
	for (unsigned i = 0; i < 100; i++)
		request_answered(device);
}

static void device_free(struct device *device)
{
	struct error failure;

	if (sequence_give_back(device->numbers, device->piv, device->piv_end, &failure))
		die("%s", failure.text);
	free(device->numbers);
	free(device->samples.ns);
	peer_close(&device->peer);
}

// The commands.

struct control {
	struct ctl_client client;
	char device[64]; // that is shown: some device of the store
	bool spare_there;
	struct samples samples;
	struct ctl_writer request;
	struct ctl_reply reply;
};

static void request_begin(struct control *control, const char *verb)
{
	ctl_client_begin(&control->client, &control->request, verb);
}

// The body of the next reply, which is "ok".
static const struct ctl_cbor *reply_read(struct control *control)
{
	const struct ctl_message *message = &control->reply.message;
	int ret = ctl_client_receive(&control->client, &control->reply);

	if (ret < 0)
		die("no reply of the daemon: %s", strerror(-ret));
	if (!ctl_reply_is_ok(&control->reply))
		die("a command failed: %.*s", (int)message->word.value,
			(const char *)message->word.data);
	return &message->map;
}

// Sends the request, and reads its replies: one, or all of a list up to the empty one.
static const struct ctl_cbor *command(struct control *control, bool is_list)
{
	const struct ctl_cbor *body;

	if (ctl_client_send(&control->client, &control->request, -1) < 0)
		die("a command cannot be sent");
	do
		body = reply_read(control);
	while (is_list && body->value);
	return body;
}

static void command_add(struct control *control)
{
	static const uint8_t id[] = {0xbe, 0x5c, 0xc0, 0x47};
	uint8_t secret[16];

	randombytes_buf(secret, sizeof(secret)); // keys of a device that was removed stay known
	request_begin(control, "device add");
	ctl_put_text(&control->request, "name", spare);
	ctl_put_bytes(&control->request, "device_id", id, sizeof(id));
	ctl_put_bytes(&control->request, "gateway_id", id, 1);
	ctl_put_bytes(&control->request, "master_secret", secret, sizeof(secret));
	ctl_put_bool(&control->request, "never_used", true);
	command(control, false);
	control->spare_there = true;
}

static void command_remove(struct control *control)
{
	request_begin(control, "device remove");
	ctl_put_text(&control->request, "name", spare);
	command(control, false);
	control->spare_there = false;
}

static void command_of(struct control *control, unsigned long i)
{
	uint64_t begin = clock_ns();

	if (i % WRITES_EVERY == 0) {
		control->spare_there ? command_remove(control) : command_add(control);
	} else if (i % 4 == 0) {
		request_begin(control, "stats");
		command(control, true);
	} else if (i % 4 == 1) {
		request_begin(control, "status");
		command(control, false);
	} else if (i % 4 == 2) {
		request_begin(control, "device list");
		ctl_put_uint(&control->request, "limit", 16);
		command(control, true);
	} else {
		request_begin(control, "device show");
		ctl_put_text(&control->request, "name", control->device);
		command(control, false);
	}
	sample(&control->samples, begin);
}

static void commands_run(struct control *control, const struct options *options)
{
	uint64_t begin = clock_ns();

	for (unsigned long i = 0; i < options->commands; i++) {
		uint64_t due = options->rate ? begin + i * 1000000000 / options->rate : 0;
		const struct timespec at = {
			.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};

		if (due)
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		command_of(control, i);
	}
	if (control->spare_there)
		command_remove(control);
}

static void control_init(struct control *control, const char *path)
{
	int ret = ctl_client_connect(&control->client, path, 0);
	struct ctl_cbor name;

	if (ret < 0)
		die("%s: %s", path, strerror(-ret));
	control->samples.ns = calloc(SAMPLES_MAX, sizeof(uint32_t));
	if (!control->samples.ns)
		die("no memory");
	request_begin(control, "device list");
	ctl_put_uint(&control->request, "limit", 1);
	if (!ctl_cbor_find(command(control, false), "name", &name))
		die("there is no device");
	snprintf(control->device, sizeof(control->device), "%.*s", (int)name.value,
		(const char *)name.data);
	reply_read(control); // the end of the list
}

// From here on this process keeps off the CPUs of the workers, if it has others.
static void leave_workers_alone(struct control *control)
{
	struct ctl_cbor workers, worker, core;
	cpu_set_t set;

	request_begin(control, "status");
	if (sched_getaffinity(0, sizeof(set), &set) ||
		!ctl_cbor_find(command(control, false), "workers", &workers))
		die("the CPUs of the workers are not known");
	struct ctl_cbor_iter iter = ctl_cbor_iter(&workers);

	while (ctl_cbor_next(&iter, &worker))
		if (ctl_cbor_find(&worker, "core", &core) && core.value < CPU_SETSIZE)
			CPU_CLR(core.value, &set);
	if (CPU_COUNT(&set) && sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity: %s", strerror(errno));
}

// The runs.

struct run {
	double p50, p99, most; // of requests, in microseconds
	double command_p50, command_p99;
	double seconds;
	uint64_t requests, lost;
};

// Traffic with all commands, or without any for ns.
static struct run run_one(
	struct device *device, struct control *control, const struct options *options, uint64_t ns)
{
	struct run run = {0};
	pthread_t thread;
	uint64_t begin = clock_ns();

	device->samples.count = control->samples.count = 0;
	device->lost = 0;
	atomic_store(&device->stop, false);
	if (pthread_create(&thread, NULL, device_run, device))
		die("no thread");
	if (ns) {
		const struct timespec pause = {ns / 1000000000, ns % 1000000000};

		nanosleep(&pause, NULL);
	} else {
		commands_run(control, options);
	}
	run.seconds = (double)(clock_ns() - begin) / 1e9;
	atomic_store(&device->stop, true);
	pthread_join(thread, NULL);
	samples_sort(&device->samples);
	run.requests = device->samples.count;
	run.lost = device->lost;
	run.p50 = share(&device->samples, 0.5);
	run.p99 = share(&device->samples, 0.99);
	run.most = share(&device->samples, 1);
	if (!ns) {
		samples_sort(&control->samples);
		run.command_p50 = share(&control->samples, 0.5);
		run.command_p99 = share(&control->samples, 0.99);
	}
	return run;
}

static int compare_p99(const void *a, const void *b)
{
	double x = ((const struct run *)a)->p99, y = ((const struct run *)b)->p99;

	return (x > y) - (x < y);
}

static double median_p99(struct run *runs, size_t count)
{
	qsort(runs, count, sizeof(runs[0]), compare_p99);
	return (runs[(count - 1) / 2].p99 + runs[count / 2].p99) / 2;
}

static void print_run(const struct options *options, bool with, const struct run *run)
{
	printf(options->json
			? "{\"commands\":%lu,\"seconds\":%.2f,\"requests\":%lu,\"lost\":%lu,"
			  "\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,"
			  "\"command_p50_us\":%.1f,\"command_p99_us\":%.1f}\n"
			: "%6lu commands in %5.2f s: %7lu requests, %lu lost, p50 %6.1f us, p99 "
			  "%6.1f, max %8.1f; commands p50 %6.1f us, p99 %6.1f\n",
		with ? options->commands : 0, run->seconds, run->requests, run->lost, run->p50,
		run->p99, run->most, run->command_p50, run->command_p99);
	fflush(stdout);
}

static void measure(struct device *device, struct control *control, const struct options *options)
{
	struct run with[RUNS_MAX], without[RUNS_MAX];
	uint64_t lost = 0;

	for (unsigned long i = 0; i < options->runs; i++) {
		with[i] = run_one(device, control, options, 0);
		print_run(options, true, &with[i]);
		without[i] = run_one(device, control, options, (uint64_t)(with[i].seconds * 1e9));
		print_run(options, false, &without[i]);
		lost += with[i].lost + without[i].lost;
	}
	double p99_with = median_p99(with, options->runs);
	double p99_without = median_p99(without, options->runs);

	printf(options->json ? "{\"p99_with_us\":%.1f,\"p99_without_us\":%.1f,\"ratio\":%.2f,"
			       "\"lost\":%lu}\n"
			     : "median p99 with commands %.1f us, without %.1f us: %.2f times; %lu "
			       "lost\n",
		p99_with, p99_without, p99_with / p99_without, lost);
}

static unsigned long number(const char *text, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || *end || n > max)
		usage("%s is no number up to %lu", text, max);
	return n;
}

static void options_read(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 's'},
		{"keys", required_argument, NULL, 'k'},
		{"gateway", required_argument, NULL, 'g'},
		{"path", required_argument, NULL, 'p'},
		{"commands", required_argument, NULL, 'c'},
		{"rate", required_argument, NULL, 'r'},
		{"runs", required_argument, NULL, 'n'},
		{"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};

	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		switch (c) {
		case 's':
			options->socket = optarg;
			break;
		case 'k':
			options->keys = optarg;
			break;
		case 'g':
			options->gateway = optarg;
			break;
		case 'p':
			options->path = optarg;
			break;
		case 'c':
			options->commands = number(optarg, 1000000);
			break;
		case 'r':
			options->rate = number(optarg, 1000000);
			break;
		case 'n':
			options->runs = number(optarg, RUNS_MAX);
			break;
		case 'j':
			options->json = true;
			break;
		default:
			exit(2);
		}
	}
	if (optind != argc)
		usage("%s is one argument too many", argv[optind]);
	if (!options->socket || !options->keys || !options->commands || !options->runs)
		usage("--socket and --keys must be given, --commands and --runs be from 1 up");
}

int main(int argc, char **argv)
{
	static struct options options = {
		.gateway = "192.0.2.1", .path = "echo", .commands = 10000, .runs = 5};
	static struct client_context context;
	static struct control control;
	static struct device device;
	struct aead_engine *engine;

	options_read(&options, argc, argv);
	engine = sodium_init() < 0 ? NULL : aead_engine_create(NULL);
	if (!engine)
		die("no AEAD");
	control_init(&control, options.socket);
	leave_workers_alone(&control);
	device_init(&device, &options, &context, engine);
	measure(&device, &control, &options);
	device_free(&device);
	context_wipe(&context);
	aead_engine_free(engine);
	return 0;
}
