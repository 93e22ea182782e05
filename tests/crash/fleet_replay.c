// SPDX-License-Identifier: BSD-3-Clause
// An attacker who has heard it all: every request again, byte by byte.

#include "tests/crash/fleet.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLAY_PORT 7777 // the checker knows copies by it
#define BURST       64   // requests between two pings: a TAP's queue holds 500 packets
#define PING_MS     500  // before a ping is sent again
#define PINGS       40

// Waits for the Reset of a ping, and counts what else comes.
static bool ping_answered(int fd, uint16_t mid, long *answers)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	uint8_t datagram[2048];

	while (poll(&ready, 1, PING_MS) > 0) {
		ssize_t len = recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT);

		if (len == COAP_EMPTY_LEN && datagram[0] == (COAP_VERSION << 6 | COAP_RST << 4) &&
			(datagram[2] << 8 | datagram[3]) == mid)
			return true;
		if (len > 0 && datagram[0] != (COAP_VERSION << 6 | COAP_RST << 4))
			++*answers;
	}
	return false;
}

// What was sent before has been taken from the queue when the ping is answered; what it brought
// comes before the answer to the second.
static bool settle(int fd, const struct sockaddr_in6 *to, uint16_t *mid, long *answers)
{
	for (unsigned settled = 0, tries = 0; settled < 2; tries++) {
		const uint8_t ping[] = {COAP_VERSION << 6, 0, ++*mid >> 8, *mid & 0xff};

		if (tries == PINGS)
			return false;
		sendto(fd, ping, sizeof(ping), 0, (const struct sockaddr *)to, sizeof(*to));
		settled += ping_answered(fd, *mid, answers);
	}
	return true;
}

long fleet_replay(const struct fleet *fleet, size_t count)
{
	const struct sockaddr_in6 here = {
		.sin6_family = AF_INET6, .sin6_port = htons(REPLAY_PORT), .sin6_addr = in6addr_any};
	const struct sockaddr_in6 *to = &fleet->gateway4;
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), off = 0;
	uint16_t mid = 0;
	long answers = 0;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
		bind(fd, (const struct sockaddr *)&here, sizeof(here))) {
		perror("the socket of the replays");
		return -1;
	}
	for (size_t i = 0; i < count && answers >= 0; i++) {
		const struct fleet_request *request = fleet->sent[i];

		if (i % BURST == 0) {
			if (!settle(fd, to, &mid, &answers))
				answers = -1;
			to = i / BURST % 2 ? &fleet->gateway6 : &fleet->gateway4;
		}
		if (sendto(fd, request->bytes, request->len, 0, (const struct sockaddr *)to,
			    sizeof(*to)) != request->len) {
			perror("a replay");
			answers = -1;
		}
	}
	if (answers >= 0 && !settle(fd, to, &mid, &answers))
		answers = -1;
	close(fd);
	return answers;
}
