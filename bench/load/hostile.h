// SPDX-License-Identifier: BSD-3-Clause
// Packets of a sender without keys, among the requests of the devices. They come from addresses or
// ports of their own, so that whatever is sent there is known to go to an unverified peer.
// Nothing is sealed for them: no nonce is used, and none twice.

#ifndef POSTERN_BENCH_LOAD_HOSTILE_H
#define POSTERN_BENCH_LOAD_HOSTILE_H

#include "bench/load/request.h"

#define HOSTILE_ENDPOINTS 16   // addresses or ports that they come from
#define HOSTILE_RANDOM    8192 // bytes, fetched at once

// They are sent in turn.
enum hostile_kind {
	HOSTILE_UNKNOWN_KID, // that no device has
	HOSTILE_BAD_TAG,     // a device's kid, a Partial IV that it has not used yet, random bytes
	HOSTILE_REPLAY,      // what a device sent and got an answer for, to the byte
	HOSTILE_MALFORMED,   // what is no CoAP, no request or has no OSCORE, and cut requests
	HOSTILE_KINDS,
};

struct hostile_counts {
	uint64_t sent[HOSTILE_KINDS];
	uint64_t received; // datagrams
	uint64_t bytes_sent, bytes_received;
};

struct hostile_record;

struct hostile {
	unsigned percent; // of all datagrams, 1 to 99
	uint64_t made;
	struct hostile_counts counts;
	const struct load_devices *devices;
	const struct request_form *form;
	// Requests of devices, to be sent again.
	struct hostile_record *record;
	uint8_t *bytes; // len_max of each
	uint16_t len_max;
	size_t random_used;
	uint8_t random[HOSTILE_RANDOM];
};

// The percent of all datagrams are to be hostile; len_max is the longest request. Returns 0 or
// -ENOMEM.
int hostile_create(struct hostile *hostile, unsigned percent, const struct load_devices *devices,
	const struct request_form *form, uint16_t len_max) __attribute__((warn_unused_result));
void hostile_free(struct hostile *hostile);

// How many are to be sent after so many requests.
static inline uint64_t hostile_due(const struct hostile *hostile, uint64_t requests)
{
	return requests * hostile->percent / (100 - hostile->percent) - hostile->made;
}

// Writes the next one, of at most len_max bytes. piv is the last one of the devices. Returns its
// length.
uint16_t hostile_make(struct hostile *hostile, uint64_t piv, uint8_t *out);

// A request of a device, as it is sent; and that it was answered.
void hostile_see_request(struct hostile *hostile, const struct request_item *item);
void hostile_see_answer(struct hostile *hostile, const uint8_t token[LOAD_FLIGHT_TOKEN_LEN]);

#endif
