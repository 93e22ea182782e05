// SPDX-License-Identifier: BSD-3-Clause
// A bed with one device, and what most tests of a worker do with it. The clock stands still.

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_WORKER_ONE_DEVICE_H
#define POSTERN_TESTS_UNIT_DATAPLANE_WORKER_ONE_DEVICE_H

#include "tests/unit/dataplane/worker/dp_bed.h"

extern struct bed bed;
extern struct bed_device device;   // of RFC 8613 appendix C.1, to be added to the bed
extern struct bed_request request; // the last one
extern struct bed_answer answer;   // the last one

// For TestSuite(): makes the bed and the device, and frees the bed.
void one_device_init(void);
void one_device_fini(void);

// Seals and sends a request of the device, and turns the worker.
void exchange(enum coap_type type, uint16_t mid, uint64_t piv, uint8_t code, const char *path,
	const char *payload);
// Takes the one answer there must be, and opens it.
void expect_answer(uint8_t code);
void expect_silence(void);
// Takes the one event there must be. It is of the device.
struct dp_event expect_event(enum dp_event_type type);
// For dp_poll(): there may be none but those that it handles itself.
void no_event(void *arg, const struct dp_event *event);

#endif
