// SPDX-License-Identifier: BSD-3-Clause
// A client of RFC 8613 appendix B.2, for tests.

#ifndef POSTERN_TESTS_UNIT_GW_HANDSHAKE_PEER_H
#define POSTERN_TESTS_UNIT_GW_HANDSHAKE_PEER_H

#include "gw/handshake/b2.h"

#define PEER_ROOM 256 // bytes of a message

struct peer {
	struct osc_params params; // as the device sees the ids
	struct aead_engine *engine;
	uint8_t r1[8], r3[8];
	uint8_t r2[B2_R2_LEN]; // of the last response #1
};

struct peer_message {
	size_t len;
	uint8_t bytes[PEER_ROOM];
	uint64_t piv;
};

// A device with the kid {kid}, and what the gateway knows of it.
void peer_make(struct peer *peer, struct b2_device *device, uint8_t kid);
void peer_free(struct peer *peer);
// A GET of /t under this ID Context, which is the kid context as a byte string.
void peer_request(const struct peer *peer, struct peer_message *message, enum coap_type type,
	uint16_t mid, uint64_t piv, const uint8_t *id, uint8_t id_len);
// Those of the protocol: R1, and R2 || R3, with new R1 and R3.
void peer_request_1(struct peer *peer, struct peer_message *message, uint16_t mid);
void peer_request_2(struct peer *peer, struct peer_message *message, uint16_t mid);
// Whether this is a response #1 to a request with ID1, and takes its R2.
bool peer_response_1(struct peer *peer, const struct peer_message *request, const uint8_t *id1,
	uint8_t id1_len, const uint8_t *bytes, size_t len);

#endif
