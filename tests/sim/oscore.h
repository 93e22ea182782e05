// SPDX-License-Identifier: BSD-3-Clause
// OSCORE of a client (RFC 8613), written for the simulator alone: it shares no code with the
// gateway, so that both cannot be wrong in the same way. AES-CCM-16-64-128 only.

#ifndef POSTERN_TESTS_SIM_OSCORE_H
#define POSTERN_TESTS_SIM_OSCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_NONCE  13
#define CLIENT_TAG    8
#define CLIENT_ID     7
#define CLIENT_ROOM   256 // bytes of a message
#define CLIENT_R2     16
#define CLIENT_ID2    80 // bytes of an ID Context, at most
#define CLIENT_OPTION (2 + 5 + 2 + CLIENT_ID2 + CLIENT_ID)

struct client {
	uint8_t kid_len, gateway_len, context_len;
	bool has_context;
	uint8_t kid[CLIENT_ID], gateway[CLIENT_ID], context[CLIENT_ID2];
	uint8_t secret[16];
	// Of whom it is, and which of the secrets that it was given.
	unsigned device, generation;
	// Derived.
	uint8_t sender_key[16], recipient_key[16], common_iv[CLIENT_NONCE];
};

// Derives the keys from what stands before them.
void client_derive(struct client *client);
// What a request says of its ID Context.
enum client_says {
	CLIENT_SAYS_NOTHING,
	CLIENT_SAYS_IT,
	CLIENT_SAYS_BYTES, // as a CBOR byte string, as in appendix B.2
};

// Seals a request under a Partial IV into its OSCORE option, of CLIENT_OPTION bytes at most, and
// payload; returns the bytes of the payload.
size_t client_seal(const struct client *client, uint64_t piv, enum client_says says,
	const uint8_t *plain, size_t len, uint8_t *option, size_t *option_len, uint8_t *payload);
// The R2 of a response #1 of appendix B.2, NULL: the answer is none.
const uint8_t *client_r2(const uint8_t *option, size_t option_len);
// The client with the ID Context R2 || context, which is ID2, or ID3.
void client_extend(const struct client *client, const uint8_t r2[CLIENT_R2], const uint8_t *context,
	size_t len, struct client *extended);

struct client_opened {
	uint8_t nonce[CLIENT_NONCE]; // it was sealed under
	bool has_piv;
	uint64_t piv;
	size_t len;
	uint8_t plain[CLIENT_ROOM];
};

// Opens the answer to the request of this Partial IV. false: it is not one.
bool client_open(const struct client *client, uint64_t request_piv, const uint8_t *option,
	size_t option_len, const uint8_t *payload, size_t len, struct client_opened *opened);

#endif
