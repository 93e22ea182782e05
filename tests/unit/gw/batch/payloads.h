// SPDX-License-Identifier: BSD-3-Clause
// Payloads at random that try to end their record.

#ifndef POSTERN_TESTS_UNIT_GW_BATCH_PAYLOADS_H
#define POSTERN_TESTS_UNIT_GW_BATCH_PAYLOADS_H

#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_MAX 400

struct payloads {
	uint64_t state; // of the generator: the seed at first
};

uint64_t payload_random(struct payloads *p);
// JSON, JSON with a few bytes changed, text, SenML, or any bytes. Returns the length.
size_t payload_make(struct payloads *p, uint8_t buf[PAYLOAD_MAX]);
// SenML, or nearly.
size_t payload_senml(struct payloads *p, uint8_t buf[PAYLOAD_MAX]);

#endif
