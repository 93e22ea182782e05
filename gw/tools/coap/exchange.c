// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/exchange.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DATAGRAM_ROOM 65536

static void address_in_words(char *text, size_t room, const struct sockaddr *sa, socklen_t len)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getnameinfo(sa, len, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(text, room, "?");
	else
		snprintf(text, room, sa->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static int bind_to(int fd, int family, const char *address, uint16_t port, struct error *f)
{
	struct addrinfo hints = {.ai_family = family,
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	struct addrinfo *own;
	char service[8];

	if (!address && !port)
		return 0;
	snprintf(service, sizeof(service), "%u", port);
	int err = getaddrinfo(address, service, &hints, &own);
	if (err)
		return error_set(f, -EINVAL, "%s: %s", address, gai_strerror(err));
	err = bind(fd, own->ai_addr, own->ai_addrlen) ? -errno : 0;
	freeaddrinfo(own);
	if (err)
		return error_set(f, err, "cannot send from %s: %s", address ? address : service,
			strerror(-err));
	return 0;
}

bool peer_unreachable(int error)
{
	return error == ECONNREFUSED || error == ENETUNREACH || error == EHOSTUNREACH ||
		error == ENETDOWN || error == EHOSTDOWN;
}

static int connect_to(struct peer *peer, const struct addrinfo *to, const char *bind_address,
	uint16_t bind_port, struct error *f)
{
	struct sockaddr_storage own;
	socklen_t own_len = sizeof(own);

	peer->fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (peer->fd < 0)
		return error_set(f, -errno, "no socket: %s", strerror(errno));
	address_in_words(peer->remote, sizeof(peer->remote), to->ai_addr, to->ai_addrlen);
	int err = bind_to(peer->fd, to->ai_family, bind_address, bind_port, f);
	if (!err && connect(peer->fd, to->ai_addr, to->ai_addrlen))
		err = error_set(f, -errno, "%s: %s", peer->remote, strerror(errno));
	if (!err && getsockname(peer->fd, (struct sockaddr *)&own, &own_len))
		err = error_set(f, -errno, "%s: %s", peer->remote, strerror(errno));
	if (err) {
		peer_close(peer);
		return err;
	}
	address_in_words(peer->local, sizeof(peer->local), (struct sockaddr *)&own, own_len);
	return 0;
}

int peer_connect(struct peer *peer, const char *host, uint16_t port, int family,
	const char *bind_address, uint16_t bind_port, struct error *f)
{
	struct addrinfo hints = {
		.ai_family = family, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list;
	char service[8];

	*peer = (struct peer){.fd = -1};
	snprintf(service, sizeof(service), "%u", port);
	int err = getaddrinfo(host, service, &hints, &list);
	if (err)
		return error_set(f, -EHOSTUNREACH, "%s: %s", host, gai_strerror(err));
	err = -EHOSTUNREACH;
	for (struct addrinfo *to = list; to && err; to = to->ai_next)
		err = connect_to(peer, to, bind_address, bind_port, f);
	freeaddrinfo(list);
	return err;
}

void peer_close(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
}

static void tell(struct exchange *x, enum exchange_event event, unsigned number,
	const struct coap_msg *msg, const uint8_t *data, size_t len)
{
	if (x->event)
		x->event(x->arg, event, number, msg, data, len);
}

void exchange_send_empty(struct peer *peer, struct exchange *x, enum coap_type type, uint16_t mid)
{
	uint8_t bytes[COAP_EMPTY_LEN];
	struct coap_writer w;

	coap_writer_init(&w, bytes, sizeof(bytes));
	coap_write_header(&w, type, COAP_EMPTY, mid, NULL, 0);
	if (send(peer->fd, bytes, coap_writer_len(&w), 0) == COAP_EMPTY_LEN)
		tell(x, type == COAP_ACK ? EXCHANGE_SENT_ACK : EXCHANGE_SENT_RST, 0, NULL, bytes,
			sizeof(bytes));
}

static bool is_response(const struct coap_msg *msg)
{
	unsigned class = COAP_CODE_CLASS(msg->code);

	return class == 2 || class == 4 || class == 5;
}

enum step { STEP_WAIT, STEP_ANSWERED, STEP_RESET };

static enum step receive(struct peer *peer, struct exchange *x, const uint8_t *data, size_t len)
{
	struct coap_msg msg;
	enum coap_verdict verdict = coap_msg_parse(&msg, data, len);

	tell(x, EXCHANGE_RECEIVED, 0, verdict == COAP_OK ? &msg : NULL, data, len);
	if (verdict != COAP_OK) {
		if (verdict != COAP_BAD_VERSION && len >= COAP_EMPTY_LEN && msg.type == COAP_CON)
			exchange_send_empty(peer, x, COAP_RST, msg.mid);
		return STEP_WAIT;
	}
	if (msg.type == COAP_RST)
		return msg.code == COAP_EMPTY && msg.mid == x->mid ? STEP_RESET : STEP_WAIT;
	if (msg.type == COAP_ACK && msg.mid != x->mid)
		return STEP_WAIT;
	if (msg.type == COAP_ACK && msg.code == COAP_EMPTY) {
		tell(x, EXCHANGE_EMPTY_ACK, 0, &msg, data, len);
		x->acknowledged = true;
		return STEP_WAIT;
	}
	bool ours = is_response(&msg) && msg.token_len == x->token_len &&
		!memcmp(msg.token, x->token, x->token_len);
	if (!ours && x->observed && is_response(&msg) && msg.token_len == x->observed_len &&
		!memcmp(msg.token, x->observed, x->observed_len))
		return STEP_WAIT; // it comes again, or a newer one does
	if (msg.type == COAP_CON) {
		bool again = peer->acked && peer->acked_mid == msg.mid;

		exchange_send_empty(peer, x, ours || again ? COAP_ACK : COAP_RST, msg.mid);
		if (ours) {
			peer->acked = true;
			peer->acked_mid = msg.mid;
		}
	}
	if (!ours)
		return STEP_WAIT;
	return x->answer(x->arg, &msg, data, len) ? STEP_ANSWERED : STEP_WAIT;
}

enum exchange_result exchange_run(struct peer *peer, struct exchange *x, struct error *f)
{
	static uint8_t data[DATAGRAM_ROOM];
	const uint64_t start = clock_ms(), end = start + x->timeout_ms;
	// ACK_RANDOM_FACTOR 1.5 (section 4.8).
	uint64_t wait = x->ack_timeout_ms + randombytes_uniform(x->ack_timeout_ms / 2 + 1);
	uint64_t due = start; // of the next transmission

	x->transmissions = 0;
	x->acknowledged = false;
	for (;;) {
		uint64_t now = clock_ms();
		bool may_send = !x->acknowledged &&
			(x->type == COAP_CON ? x->transmissions <= x->retransmit_max
					     : !x->transmissions);

		if (now >= end)
			return EXCHANGE_TIMEOUT;
		if (!x->acknowledged && x->type == COAP_CON && !may_send && now >= due)
			return EXCHANGE_TIMEOUT;
		if (may_send && now >= due) {
			ssize_t sent = send(peer->fd, x->datagram, x->len, 0);
			const bool lost = sent < 0 && peer->patient && peer_unreachable(errno);

			if (sent < 0 && !lost && errno == ECONNREFUSED)
				return EXCHANGE_REFUSED;
			if (sent < 0 && !lost && errno != EAGAIN) {
				error_set(f, 0, "%s: %s", peer->remote, strerror(errno));
				return EXCHANGE_FAILED;
			}
			tell(x, EXCHANGE_SENT, ++x->transmissions, NULL, x->datagram, x->len);
			due = now + wait;
			wait *= 2;
		}
		uint64_t until = end;
		if (x->type == COAP_CON && !x->acknowledged && due < end)
			until = due;
		struct pollfd readable = {.fd = peer->fd, .events = POLLIN};
		if (poll(&readable, 1, (int)(until - now)) < 0 && errno != EINTR) {
			error_set(f, 0, "poll: %s", strerror(errno));
			return EXCHANGE_FAILED;
		}
		ssize_t len = recv(peer->fd, data, sizeof(data), 0);
		const bool nobody = len < 0 && peer->patient && peer_unreachable(errno);
		if (len < 0 && !nobody && errno == ECONNREFUSED)
			return EXCHANGE_REFUSED;
		if (len < 0 && !nobody && errno != EAGAIN && errno != EINTR) {
			error_set(f, 0, "%s: %s", peer->remote, strerror(errno));
			return EXCHANGE_FAILED;
		}
		if (len < 0)
			continue;
		switch (receive(peer, x, data, (size_t)len)) {
		case STEP_ANSWERED:
			return EXCHANGE_ANSWERED;
		case STEP_RESET:
			return EXCHANGE_RESET;
		case STEP_WAIT:
			break;
		}
	}
}
