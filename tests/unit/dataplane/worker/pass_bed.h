// SPDX-License-Identifier: BSD-3-Clause
// A bed that passes the messages of two kids through. The test is in the place of the upstream
// loop, and of who can open them. The clock stands still.

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_WORKER_PASS_BED_H
#define POSTERN_TESTS_UNIT_DATAPLANE_WORKER_PASS_BED_H

#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/one_device.h"

#define KID           7 // of who is passed through, Echo before anything
#define KID_LARGE     8 // Echo before large answers
#define SLOT          20
#define EXCHANGES     256
#define MAX_IN_FLIGHT 16

// Of the next message.
extern uint16_t mid;
extern uint64_t piv;

// An answer as the service protects it: nobody here can tell.
#define PASS_PROTECTED 12
extern const uint8_t protected[PASS_PROTECTED];

// For TestSuite(): `device` has KID, and is not in the bed.
void pass_bed_init(void);
void pass_bed_fini(void);
// So many messages may be at the service from one network as from all.
void most_from_one_network(void);

// Sends a new message from an endpoint, with an Echo outside or without, and turns the worker.
void ask_from(
	const struct dp_flow *flow, enum coap_type type, const uint8_t *echo, const char *payload);
void ask(enum coap_type type);
// Takes a message without protection: an error, or a challenge, of which it returns the Echo.
const uint8_t *expect_unprotected(uint8_t code);
// In the place of the loop: answers the message that was passed through, as there must be one.
void serve(const uint8_t *bytes, size_t len);
// The endpoint of a flow shows that it receives.
void show(const struct dp_flow *flow);
// Takes the message that was passed through, as there must be one.
struct dp_shared *taken(dp_handle *handle);
void expect_nothing_passed(void);
// The answer of the service, as it is.
void expect_protected(enum coap_type type, const uint8_t *bytes, size_t len);

#endif
