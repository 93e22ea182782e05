// SPDX-License-Identifier: BSD-3-Clause
// usage: fleet DEVICES.CSV LOG SEED PAUSE-MS
// Devices as many as there are rows (docs/import.md) against 192.0.2.1 and 2001:db8::1. Told by
// lines on stdin, it says in one line when it has done so:
//
//   wake N     the first N devices may send                  awake N
//   load       they send on until told to pause              loading
//   serve MS   load, until each was served or the time is    served N of M
//              over, and pause
//   pause      no more requests                              paused
//   mark       what is sent from now on is not replayed      marked N
//   replay     sends all requests up to the mark again       replayed N answers M
//   quit       (or the end of stdin)                         sent N unsent ... answered ...
//
// LOG gets a line for each request that ended: device, Partial IV, type, what became of it.

#include "tests/crash/fleet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_MS      4
#define EVENTS       64
#define LINE_LEN     1024
#define BUFFER_BYTES (256 * 1024) // of a socket

static void die(const char *what, const char *why)
{
	fprintf(stderr, "fleet: %s: %s\n", what, why);
	exit(2);
}

// The next field of a row, or an empty one.
static char *field(char **rest)
{
	char *text = strsep(rest, ",\n");

	return text ? text : "";
}

static uint8_t hex(const char *text, uint8_t *out, size_t room)
{
	size_t len;

	if (sodium_hex2bin(out, room, text, strlen(text), NULL, &len, NULL) || len > UINT8_MAX)
		die(text, "is no hex, or too long");
	return (uint8_t)len;
}

static void device_read(struct fleet *fleet, char *row)
{
	struct fleet_device *device = &fleet->device[fleet->count++];
	struct osc_params *params = &device->params;
	int off = 0, size = BUFFER_BYTES;

	params->sender_id_len = hex(field(&row), params->sender_id, OSC_KID_LEN_MAX);
	params->recipient_id_len = hex(field(&row), params->recipient_id, OSC_KID_LEN_MAX);
	params->secret_len = hex(field(&row), params->secret, OSC_SECRET_LEN_MAX);
	params->salt_len = hex(field(&row), params->salt, OSC_SECRET_LEN_MAX);
	params->id_context_len = hex(field(&row), params->id_context, OSC_ID_CONTEXT_LEN_MAX);
	params->has_id_context = params->id_context_len != 0;
	if (aead_alg_from_name(field(&row), &params->alg) || osc_derive(&device->keys, params) < 0)
		die("a row", "its algorithm or ids are wrong");
	snprintf(device->name, sizeof(device->name), "%s", field(&row));

	device->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = device};

	if (device->fd < 0 ||
		setsockopt(device->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
		setsockopt(device->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) ||
		epoll_ctl(fleet->epoll_fd, EPOLL_CTL_ADD, device->fd, &event))
		die(device->name, strerror(errno));
}

void fleet_read(struct fleet *fleet, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[LINE_LEN];
	size_t rows = 0;

	if (!file)
		die(path, strerror(errno));
	while (fgets(line, sizeof(line), file))
		rows++;
	rewind(file);
	fleet->device = calloc(rows + 1, sizeof(fleet->device[0]));
	if (!fleet->device || !fgets(line, sizeof(line), file))
		die(path, "no rows, or no memory");
	while (fgets(line, sizeof(line), file))
		device_read(fleet, line);
	fclose(file);
}

static struct sockaddr_in6 gateway(const char *address)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(COAP_PORT)};

	if (inet_pton(AF_INET6, address, &to.sin6_addr) != 1)
		die(address, "is no address");
	return to;
}

static void say_totals(const struct fleet *fleet)
{
	printf("sent %zu unsent %lu unanswered %lu challenged %lu answered %lu\n",
		fleet->sent_count, fleet->outcomes[FLEET_UNSENT], fleet->outcomes[FLEET_UNANSWERED],
		fleet->outcomes[FLEET_CHALLENGED], fleet->outcomes[FLEET_ANSWERED]);
}

static size_t count_served(const struct fleet *fleet)
{
	size_t n = 0;

	for (size_t i = 0; i < fleet->awake; i++)
		n += fleet->device[i].served;
	return n;
}

static void serve_begin(struct fleet *fleet, uint64_t ms)
{
	for (size_t i = 0; i < fleet->count; i++)
		fleet->device[i].served = false;
	fleet->load = true;
	fleet->serve_until_ms = fleet_now_ms() + ms;
}

static void serve_end(struct fleet *fleet)
{
	size_t served = count_served(fleet);

	if (served < fleet->awake && fleet_now_ms() < fleet->serve_until_ms)
		return;
	fleet->serve_until_ms = 0;
	fleet_pause(fleet);
	printf("served %zu of %zu\n", served, fleet->awake);
	fflush(stdout);
}

// False at the end.
static bool command(struct fleet *fleet, size_t *mark)
{
	char line[64];
	ssize_t len = read(STDIN_FILENO, line, sizeof(line) - 1); // one line: we answered the last

	if (len <= 0 || !strncmp(line, "quit", 4)) {
		fleet_pause(fleet);
		say_totals(fleet);
		return false;
	}
	line[len] = 0;
	if (!strncmp(line, "wake ", 5)) {
		fleet->awake = strtoul(line + 5, NULL, 10);
		if (fleet->awake > fleet->count)
			die("stdin", "fewer devices are there");
		printf("awake %zu\n", fleet->awake);
	} else if (!strncmp(line, "load", 4)) {
		fleet->load = true;
		puts("loading");
	} else if (!strncmp(line, "serve ", 6)) {
		serve_begin(fleet, strtoul(line + 6, NULL, 10));
	} else if (!strncmp(line, "pause", 5)) {
		fleet_pause(fleet);
		puts("paused");
	} else if (!strncmp(line, "mark", 4)) {
		*mark = fleet->sent_count;
		printf("marked %zu\n", *mark);
	} else if (!strncmp(line, "replay", 6)) {
		printf("replayed %zu answers %ld\n", *mark, fleet_replay(fleet, *mark));
	} else {
		die("stdin", "no command");
	}
	fflush(stdout);
	fflush(fleet->log);
	return true;
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS], stdin_event = {.events = EPOLLIN};
	struct fleet fleet = {0};
	size_t mark = 0;
	bool more = true;

	if (argc != 5)
		die("usage", "fleet DEVICES.CSV LOG SEED PAUSE-MS");
	fleet.gateway4 = gateway("::ffff:192.0.2.1");
	fleet.gateway6 = gateway("2001:db8::1");
	fleet.engine = aead_engine_create(NULL);
	fleet.log = fopen(argv[2], "we");
	fleet.rng = strtoull(argv[3], NULL, 10) * 2 + 1; // never 0
	fleet.pause_ms = (uint32_t)strtoul(argv[4], NULL, 10);
	fleet.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!fleet.engine || !fleet.log || fleet.epoll_fd < 0 ||
		epoll_ctl(fleet.epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &stdin_event))
		die(argv[2], strerror(errno));
	fleet_read(&fleet, argv[1]);
	while (more) {
		int n = epoll_wait(fleet.epoll_fd, events, EVENTS, fleet.load ? TURN_MS : -1);

		for (int i = 0; i < n && more; i++) {
			if (events[i].data.ptr)
				fleet_receive(&fleet, events[i].data.ptr);
			else
				more = command(&fleet, &mark);
		}
		fleet_turn(&fleet);
		if (fleet.serve_until_ms)
			serve_end(&fleet);
	}
	fclose(fleet.log);
	return EXIT_SUCCESS;
}
