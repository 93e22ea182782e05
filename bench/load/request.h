// SPDX-License-Identifier: BSD-3-Clause
// The one request that all devices send, sealed for each of them (RFC 8613 section 8.1).

#ifndef POSTERN_BENCH_LOAD_REQUEST_H
#define POSTERN_BENCH_LOAD_REQUEST_H

#include "bench/load/devices.h"
#include "bench/load/flight.h"
#include "crypto/aead.h"
#include "dataplane/coap/message.h"
#include "gw/tools/coap/options.h"

#define REQUEST_OUTER_MAX 300 // bytes of the options in front of the OSCORE option

// What is the same in every request.
struct request_form {
	enum coap_type type;
	uint8_t code;
	const struct option_list *options;
	const uint8_t *payload;
	size_t payload_len;
	// Made of these:
	uint8_t outer[REQUEST_OUTER_MAX]; // options of class U, encoded
	uint16_t outer_len, outer_number; // bytes; number of the last one
	uint8_t *plaintext;
	uint16_t plaintext_len;
};

// Makes the lower part of *form of the upper one. len_max is the longest message that may come of
// it, for any of the devices. Returns 0, or -EINVAL or -EMSGSIZE.
int request_form_make(struct request_form *form, const struct load_devices *devices,
	uint16_t len_max, struct error *f) __attribute__((warn_unused_result));
void request_form_free(struct request_form *form);

// One request to be sealed.
struct request_item {
	struct load_device *device; // its Echo is used up
	uint64_t piv;
	uint16_t mid;
	uint8_t token[LOAD_FLIGHT_TOKEN_LEN];
	uint8_t *out; // len_max bytes
	uint16_t len; // set to the bytes written
};

// Writes everything in front of the ciphertext. Returns its length.
size_t request_write_head(const struct request_form *form, const struct request_item *item);

// Seals n <= AEAD_BATCH_MAX requests. Returns 0, or -EIO if the cipher failed: then none may be
// sent.
int request_seal_batch(const struct request_form *form, struct aead_engine *engine,
	struct request_item *items, unsigned n) __attribute__((warn_unused_result));

// Runs an array of operations that have an algorithm each.
unsigned aead_run_mixed(unsigned (*run)(struct aead_engine *engine, enum aead_alg alg,
				struct aead_op *ops, unsigned n),
	struct aead_engine *engine, struct aead_op *ops, const uint8_t *algs, unsigned n);

#endif
