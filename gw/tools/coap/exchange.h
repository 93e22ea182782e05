// SPDX-License-Identifier: BSD-3-Clause
// The message layer of a client over a UDP socket: retransmission, acknowledgements, separate
// responses (RFC 7252 sections 4.2 and 5.2).

#ifndef POSTERN_GW_TOOLS_COAP_EXCHANGE_H
#define POSTERN_GW_TOOLS_COAP_EXCHANGE_H

#include "base/error.h"
#include "dataplane/coap/message.h"

#include <netdb.h>
#include <sys/socket.h>

#define RETRANSMIT_MAX 20 // doublings of a time-out

struct peer {
	int fd; // a connected UDP socket
	char remote[NI_MAXHOST + NI_MAXSERV + 4], local[NI_MAXHOST + NI_MAXSERV + 4]; // in words
	bool acked; // a separate response was acknowledged: its duplicates are, too
	uint16_t acked_mid;
	bool patient; // a datagram that reaches nobody now is lost, and no error
};

// Whether this errno of a socket says that the host is not reached now, or nothing listens there.
bool peer_unreachable(int error);
// family is AF_INET, AF_INET6 or AF_UNSPEC; bind_address may be NULL, bind_port 0: any.
// Returns 0 or a negative value.
int peer_connect(struct peer *peer, const char *host, uint16_t port, int family,
	const char *bind_address, uint16_t bind_port, struct error *f)
	__attribute__((warn_unused_result));
void peer_close(struct peer *peer);

enum exchange_result {
	EXCHANGE_ANSWERED,
	EXCHANGE_TIMEOUT,
	EXCHANGE_RESET,
	EXCHANGE_REFUSED, // the host says that nothing listens on the port
	EXCHANGE_FAILED,  // a local error
};

// What the exchange reports while it goes on.
enum exchange_event {
	EXCHANGE_SENT,     // a request; number counts from 1
	EXCHANGE_RECEIVED, // any datagram; msg NULL if it is malformed
	EXCHANGE_EMPTY_ACK,
	EXCHANGE_SENT_ACK,
	EXCHANGE_SENT_RST,
};

struct exchange {
	const uint8_t *datagram; // the request, encoded
	size_t len;
	enum coap_type type; // COAP_CON or COAP_NON
	uint16_t mid;
	const uint8_t *token;
	size_t token_len;
	const uint8_t
		*observed; // token of notifications, which are left alone; NULL: there is none
	size_t observed_len;
	unsigned timeout_ms;     // for the whole exchange
	unsigned ack_timeout_ms; // RFC 7252 section 4.8: 2 000
	unsigned retransmit_max; // 4

	// A response with our token. true: it is the answer; false: go on waiting.
	bool (*answer)(void *arg, const struct coap_msg *msg, const uint8_t *data, size_t len);
	void (*event)(void *arg, enum exchange_event event, unsigned number,
		const struct coap_msg *msg, const uint8_t *data, size_t len);
	void *arg;

	unsigned transmissions; // out
	bool acknowledged;      // out: an empty acknowledgement came
};

// Sends an Empty message.
void exchange_send_empty(struct peer *peer, struct exchange *x, enum coap_type type, uint16_t mid);

enum exchange_result exchange_run(struct peer *peer, struct exchange *x, struct error *f)
	__attribute__((warn_unused_result));

#endif
