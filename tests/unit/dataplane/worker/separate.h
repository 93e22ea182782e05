// SPDX-License-Identifier: BSD-3-Clause
// One device whose backend is slow: what tests of empty ACKs and separate answers do (RFC 7252
// section 5.2.2).

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_WORKER_SEPARATE_H
#define POSTERN_TESTS_UNIT_DATAPLANE_WORKER_SEPARATE_H

#include "dataplane/worker/worker.h"
#include "tests/unit/dataplane/worker/one_device.h"

#define ACK_TIMEOUT DP_ACK_TIMEOUT_MS
#define ACK_AFTER   DP_ACK_AFTER(ACK_TIMEOUT)
#define ACK_LATER   (ACK_AFTER + 2 * DP_TICK_MS)

extern struct bed_answer first; // transmission of a separate answer
extern dp_handle handle;        // of the last request
extern const uint8_t late[6];   // what the backend answers: 2.05 and a payload

// For TestSuite(): as one_device_init(), and the device is added.
void separate_init(void);

// So much time passes, and the worker turns.
void later(uint64_t ms);
void expect_empty_ack(uint16_t mid);
// A request that the backend has, and does not answer.
void ask(enum coap_type type, uint16_t mid, uint64_t piv);
void ask_and_get_ack(uint16_t mid, uint64_t piv);
void backend_answers(void);
// Takes the first transmission of the separate answer to `request`.
void expect_separate(uint8_t code);
// Takes a retransmission of `first`.
void expect_same_bytes(void);
void device_sends_empty(enum coap_type type, uint16_t mid);
void expect_all_exchanges_free(void);

#endif
