// SPDX-License-Identifier: BSD-3-Clause
// What a proxy or a stranger does to the outer message of a request, which nothing protects.

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_WORKER_OUTER_H
#define POSTERN_TESTS_UNIT_DATAPLANE_WORKER_OUTER_H

#include "tests/unit/dataplane/worker/one_device.h"

struct outer_option {
	uint16_t number;
	uint16_t len;
	const void *value;
};

#define OUTER_TOKEN_MAX 1024

// How the last request goes out otherwise than bed_seal() made it.
struct outer {
	uint8_t code; // 0: as it was
	bool has_token;
	uint16_t token_len;
	const uint8_t *token;
	const struct outer_option *options; // beside the OSCORE option, in any order
	unsigned option_count;
};

// Sends the last request in another outer message, and turns the worker.
void outer_send(const struct outer *outer);
// The same for options alone.
void outer_send_options(const struct outer_option *options, unsigned count);
// Whether the last answer has this token.
bool outer_token_is(const uint8_t *token, uint16_t len);

#endif
