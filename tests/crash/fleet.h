// SPDX-License-Identifier: BSD-3-Clause
// A fleet of devices behind one program: hundreds of OSCORE clients with keys, sockets and sequence
// numbers of their own, which nothing sets back.

#ifndef POSTERN_TESTS_CRASH_FLEET_H
#define POSTERN_TESTS_CRASH_FLEET_H

#include "gw/tools/coap/secure.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FLEET_NAME_MAX     63
#define FLEET_DATAGRAM_MAX 512 // bytes of the largest request
#define FLEET_TOKEN_LEN    8
#define FLEET_ECHO_MAX     40 // bytes of an Echo value (RFC 9175 section 2.2.1)

// What became of a request, as it stands in the log.
enum fleet_outcome {
	FLEET_UNSENT,     // the network was down: no copy left
	FLEET_UNANSWERED, // of which retransmissions and load that ended are part
	FLEET_CHALLENGED,
	FLEET_ANSWERED,
	FLEET_OUTCOMES,
};

// One request, kept to be sent again, byte by byte.
struct fleet_request {
	uint32_t device;
	uint16_t len;
	bool sent;
	uint8_t bytes[];
};

struct fleet_device {
	char name[FLEET_NAME_MAX + 1];
	struct osc_params params; // the device is the sender
	struct osc_keys keys;
	uint64_t piv; // of the next request; only rises
	int fd;
	bool ipv6;

	// The one request that waits for its answer (NSTART = 1).
	bool waiting;
	bool sent;
	bool served;      // had an answer, since the flag was taken away
	bool lose_answer; // as if the network had: it will be asked for again
	uint8_t tries;
	uint8_t token[FLEET_TOKEN_LEN];
	enum coap_type type;
	uint64_t request_piv;
	uint64_t due_ms; // of the next try, or of the next request
	uint32_t timeout_ms;
	uint8_t echo[FLEET_ECHO_MAX]; // to be sent with the next request
	uint8_t echo_len;
	uint16_t datagram_len;
	uint8_t datagram[FLEET_DATAGRAM_MAX];
};

struct fleet {
	struct fleet_device *device;
	size_t count;
	size_t awake; // the first so many send
	struct aead_engine *engine;
	struct sockaddr_in6 gateway4; // as an IPv4-mapped address
	struct sockaddr_in6 gateway6;
	int epoll_fd;
	FILE *log;
	uint64_t rng;
	uint32_t pause_ms; // mean between an answer and the next request of a device
	bool load;
	uint64_t serve_until_ms; // 0: nobody waits for all to be served

	struct fleet_request **sent;
	size_t sent_count, sent_room;
	uint64_t outcomes[FLEET_OUTCOMES];
};

// Reads the rows of an import file (docs/import.md): device_id, gateway_id, master_secret,
// master_salt, id_context, algorithm, name. Ends the program if a row is wrong.
void fleet_read(struct fleet *fleet, const char *path);

uint64_t fleet_now_ms(void);
uint32_t fleet_random(struct fleet *fleet, uint32_t below);

// Lets each device whose time has come send: a request, or a copy of the one that waits.
void fleet_turn(struct fleet *fleet);
// Takes one datagram that came for a device.
void fleet_receive(struct fleet *fleet, struct fleet_device *device);
// All devices stop: what waits is unanswered.
void fleet_pause(struct fleet *fleet);

// Sends the first count requests again from a socket of its own, and waits until the gateway has
// taken them. Returns how many datagrams came back, or -1 if the gateway is not there.
long fleet_replay(const struct fleet *fleet, size_t count);

#endif
