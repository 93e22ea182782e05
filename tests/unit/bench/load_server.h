// SPDX-License-Identifier: BSD-3-Clause
// A server in the place of postern-load's transport, which treats each request well or badly, as a
// test decides.

#ifndef POSTERN_TESTS_UNIT_BENCH_LOAD_SERVER_H
#define POSTERN_TESTS_UNIT_BENCH_LOAD_SERVER_H

#include "bench/load/devices.h"
#include "bench/load/hostile.h"
#include "bench/load/transport.h"

#define LOAD_SERVER_DEVICES 4
#define LOAD_SERVER_QUEUE   256  // messages that were not received yet
#define LOAD_SERVER_ROOM    512  // bytes of a message
#define LOAD_SERVER_PIVS    4096 // Partial IVs of a device, at most

// What the server does with a request.
enum load_deed {
	LOAD_DEED_ANSWER,
	LOAD_DEED_NOTHING,
	LOAD_DEED_BAD_TAG,
	LOAD_DEED_PLAIN,     // a response without OSCORE
	LOAD_DEED_WRONG_MID, // of the acknowledgement
	LOAD_DEED_TWICE,
	LOAD_DEED_SEPARATE, // an empty ACK, and the answer in a CON
	LOAD_DEED_RESET,
	LOAD_DEED_GARBAGE,
	LOAD_DEED_WRONG_ENDPOINT,
	LOAD_DEED_CHALLENGE, // unless the request has an Echo
	LOAD_DEED_OWN_PIV,
	LOAD_DEED_COUNT,
};

struct load_server {
	struct transport t;
	struct load_devices *devices; // LOAD_SERVER_DEVICES
	struct aead_engine *engine;
	enum load_deed (*deed)(uint64_t number); // of a request, by its number
	uint64_t requests, acks, challenged;
	bool seen[LOAD_SERVER_DEVICES][LOAD_SERVER_PIVS];
	uint64_t first_ns, deaf_from_ns, deaf_until_ns; // these two since the first request
	uint64_t hostile[HOSTILE_KINDS], hostile_bytes, reset_bytes;
	uint8_t out[TRANSPORT_BATCH][LOAD_SERVER_ROOM];
	struct load_server_message {
		uint8_t data[LOAD_SERVER_ROOM];
		uint16_t len;
		uint32_t endpoint;
	} queue[LOAD_SERVER_QUEUE];
	unsigned first, count;
};

void load_server_init(struct load_server *server, struct load_devices *devices);
void load_server_free(struct load_server *server);
// Takes a request that comes by no transport. Fails the test if it does not verify, or if its
// Partial IV was seen before.
void load_server_take_request(struct load_server *server, const struct datagram *datagram);

#endif
