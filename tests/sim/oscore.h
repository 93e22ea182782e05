// SPDX-License-Identifier: BSD-3-Clause
// OSCORE of a client (RFC 8613), written for the simulator alone: it shares no code with the
// gateway, so that both cannot be wrong in the same way. AES-CCM-16-64-128 only.

#ifndef POSTERN_TESTS_SIM_OSCORE_H
#define POSTERN_TESTS_SIM_OSCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_NONCE 13
#define CLIENT_TAG   8
#define CLIENT_ID    7
#define CLIENT_ROOM  256 // bytes of a message

struct client {
	uint8_t kid_len, gateway_len, context_len;
	bool has_context;
	uint8_t kid[CLIENT_ID], gateway[CLIENT_ID], context[8];
	uint8_t secret[16];
	// Derived.
	uint8_t sender_key[16], recipient_key[16], common_iv[CLIENT_NONCE];
};

// Derives the keys from what stands before them.
void client_derive(struct client *client);
// Seals a request under a Partial IV into its OSCORE option and payload; returns the bytes of the
// payload.
size_t client_seal(const struct client *client, uint64_t piv, bool says_context,
	const uint8_t *plain, size_t len, uint8_t *option, size_t *option_len, uint8_t *payload);

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
