// SPDX-License-Identifier: BSD-3-Clause

#include "bench/many_devices.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BURST    64 // datagrams of one socket in a row
#define DATAGRAM 2048

int many_sockets_open(struct many_sockets *sockets, unsigned count, const struct sockaddr_in *to)
{
	for (sockets->count = 0; sockets->count < count; sockets->count++) {
		const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			return -errno;
		if (connect(fd, (const struct sockaddr *)to, sizeof(*to))) {
			const int err = errno;

			close(fd);
			return -err;
		}
		sockets->fd[sockets->count] = fd;
	}
	return 0;
}

void many_sockets_close(struct many_sockets *sockets)
{
	while (sockets->count)
		close(sockets->fd[--sockets->count]);
}

void many_sockets_send(
	const struct many_sockets *sockets, uint32_t device, const uint8_t *bytes, size_t len)
{
	(void)!send(sockets->fd[device % sockets->count], bytes, len, MSG_DONTWAIT);
}

static void receive(
	int fd, void (*take)(void *arg, const struct coap_msg *msg, uint64_t now_ms), void *arg)
{
	const uint64_t now_ms = clock_ms();
	uint8_t datagram[DATAGRAM];
	struct coap_msg msg;

	for (unsigned i = 0; i < BURST; i++) {
		const ssize_t len = recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT);

		if (len < 0)
			return;
		if (coap_msg_parse(&msg, datagram, (size_t)len) != COAP_OK)
			continue;
		if (msg.type == COAP_CON) {
			const uint8_t ack[] = {0x60, 0, datagram[2], datagram[3]};

			(void)!send(fd, ack, sizeof(ack), MSG_DONTWAIT);
		}
		take(arg, &msg, now_ms);
	}
}

void many_sockets_turn(const struct many_sockets *sockets,
	void (*take)(void *arg, const struct coap_msg *msg, uint64_t now_ms), void *arg)
{
	struct pollfd ready[MANY_SOCKETS_MAX];

	for (unsigned i = 0; i < sockets->count; i++)
		ready[i] = (struct pollfd){.fd = sockets->fd[i], .events = POLLIN};
	if (poll(ready, sockets->count, 1) <= 0)
		return;
	for (unsigned i = 0; i < sockets->count; i++)
		if (ready[i].revents)
			receive(ready[i].fd, take, arg);
}

void many_token_write(uint8_t token[MANY_TOKEN_LEN], uint32_t place, uint32_t generation)
{
	memcpy(token, &place, sizeof(place));
	memcpy(token + sizeof(place), &generation, sizeof(generation));
}

bool many_token_read(const struct coap_msg *msg, uint32_t *place, uint32_t *generation)
{
	if (msg->code == COAP_EMPTY || msg->token_len != MANY_TOKEN_LEN)
		return false;
	memcpy(place, msg->token, sizeof(*place));
	memcpy(generation, msg->token + sizeof(*place), sizeof(*generation));
	return true;
}

void many_latency_add(struct many_latency *latency, uint64_t ms)
{
	latency->at[ms < MANY_LATENCY_MAX ? ms : MANY_LATENCY_MAX]++;
	latency->count++;
}

unsigned many_latency_quantile(const struct many_latency *latency, double share)
{
	unsigned long seen = 0;
	unsigned ms = 0;

	while (ms < MANY_LATENCY_MAX &&
		(double)(seen += latency->at[ms]) < share * (double)latency->count)
		ms++;
	return ms;
}
