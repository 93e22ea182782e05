// SPDX-License-Identifier: BSD-3-Clause
// Kernel UDP sockets, each connected to the server, with many datagrams a system call.

#include "bench/load/transport.h"
#include "gw/tools/coap/exchange.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_BUFFER (4 << 20) // bytes asked for; the kernel may give less
#define LEN_MAX       2048      // bytes of a message: what a path without fragments carries

struct udp {
	struct transport t;
	struct peer *peer;
	int epoll;
	// Sockets that may have more, as epoll said it.
	struct epoll_event ready[TRANSPORT_BATCH];
	unsigned ready_count;
	uint8_t out[TRANSPORT_BATCH][LEN_MAX], in[TRANSPORT_BATCH][LEN_MAX];
};

static unsigned udp_buffers(struct transport *t, struct datagram *datagrams, unsigned n)
{
	struct udp *udp = (struct udp *)t;

	for (unsigned i = 0; i < n; i++)
		datagrams[i].data = udp->out[i];
	return n;
}

// Sends datagrams of one socket. Returns how many were taken.
static unsigned send_run(struct udp *udp, struct datagram *datagrams, unsigned n)
{
	struct mmsghdr messages[TRANSPORT_BATCH];
	struct iovec parts[TRANSPORT_BATCH];
	int fd = udp->peer[datagrams[0].endpoint].fd;

	for (unsigned i = 0; i < n; i++) {
		parts[i] =
			(struct iovec){.iov_base = datagrams[i].data, .iov_len = datagrams[i].len};
		messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
	}
	int sent = sendmmsg(fd, messages, n, MSG_NOSIGNAL);
	if (sent >= 0)
		return (unsigned)sent;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return 0;
	// An error of an earlier datagram (nothing listens there), or of the route: this one is
	// lost as on any network.
	udp->t.send_errors++;
	return 1;
}

static unsigned udp_send(struct transport *t, struct datagram *datagrams, unsigned n)
{
	struct udp *udp = (struct udp *)t;
	unsigned sent = 0;

	while (sent < n) {
		unsigned run = 1, taken;

		while (sent + run < n && datagrams[sent + run].endpoint == datagrams[sent].endpoint)
			run++;
		taken = send_run(udp, datagrams + sent, run);
		if (!taken)
			break;
		sent += taken;
	}
	return sent;
}

static void poll_sockets(struct udp *udp)
{
	int n = epoll_wait(udp->epoll, udp->ready, TRANSPORT_BATCH, 0);

	udp->ready_count = n > 0 ? (unsigned)n : 0;
}

static unsigned udp_receive(struct transport *t, struct datagram *datagrams, unsigned n)
{
	struct udp *udp = (struct udp *)t;
	struct mmsghdr messages[TRANSPORT_BATCH];
	struct iovec parts[TRANSPORT_BATCH];
	unsigned count = 0;

	if (!udp->ready_count)
		poll_sockets(udp);
	while (udp->ready_count && count < n) {
		uint32_t endpoint = udp->ready[udp->ready_count - 1].data.u32;
		unsigned room = n - count;

		for (unsigned i = 0; i < room; i++) {
			parts[i] =
				(struct iovec){.iov_base = udp->in[count + i], .iov_len = LEN_MAX};
			messages[i] = (struct mmsghdr){
				.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
		}
		int got = recvmmsg(
			udp->peer[endpoint].fd, messages, room, MSG_DONTWAIT | MSG_TRUNC, NULL);
		if (got < (int)room)
			udp->ready_count--; // it is empty, or has an error that epoll repeats
		for (int i = 0; i < got; i++) {
			unsigned len = messages[i].msg_len;

			datagrams[count] = (struct datagram){.data = udp->in[count],
				// A longer one than fits is no answer that could be opened.
				.len = (uint16_t)(len <= LEN_MAX ? len : 0),
				.endpoint = endpoint};
			count++;
		}
	}
	return count;
}

static void udp_wait(struct transport *t, uint64_t ns)
{
	struct udp *udp = (struct udp *)t;
	struct pollfd fd = {.fd = udp->epoll, .events = POLLIN};
	struct timespec time = {
		.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};

	(void)!ppoll(&fd, 1, &time, NULL);
}

static void udp_close(struct transport *t)
{
	struct udp *udp = (struct udp *)t;

	for (unsigned i = 0; i < t->endpoints; i++)
		peer_close(&udp->peer[i]);
	if (udp->epoll >= 0)
		close(udp->epoll);
	free(udp->peer);
	free(udp);
}

static const struct transport_ops udp_ops = {
	.buffers = udp_buffers,
	.send = udp_send,
	.receive = udp_receive,
	.wait = udp_wait,
	.close = udp_close,
};

static int add_socket(struct udp *udp, uint32_t i, struct error *f)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
	int fd = udp->peer[i].fd, size = SOCKET_BUFFER;

	// Best effort: where it may, root goes beyond net.core.rmem_max.
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		(void)!setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		(void)!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (epoll_ctl(udp->epoll, EPOLL_CTL_ADD, fd, &event))
		return error_set(f, -errno, "epoll: %s", strerror(errno));
	return 0;
}

struct transport *transport_udp(const char *host, uint16_t port, int family,
	const char *bind_address, unsigned sockets, struct error *f)
{
	struct udp *udp = calloc(1, sizeof(*udp));
	bool failed;

	if (!udp || !(udp->peer = calloc(sockets, sizeof(*udp->peer)))) {
		free(udp);
		error_set(f, -ENOMEM, "out of memory");
		return NULL;
	}
	udp->t = (struct transport){.ops = &udp_ops, .len_max = LEN_MAX, .stride = TRANSPORT_BATCH};
	udp->epoll = epoll_create1(EPOLL_CLOEXEC);
	failed = udp->epoll < 0;
	if (failed)
		error_set(f, -errno, "epoll: %s", strerror(errno));
	while (!failed && udp->t.endpoints < sockets) {
		uint32_t i = udp->t.endpoints;

		failed = peer_connect(&udp->peer[i], host, port, family, bind_address, 0, f);
		if (failed)
			break;
		udp->t.endpoints++;
		failed = add_socket(udp, i, f);
	}
	if (failed) {
		udp_close(&udp->t);
		return NULL;
	}
	snprintf(udp->t.description, sizeof(udp->t.description), "UDP, %u socket%s to %.200s",
		sockets, sockets == 1 ? "" : "s", udp->peer[0].remote);
	return &udp->t;
}
