// SPDX-License-Identifier: BSD-3-Clause
// A bed with a device that observes a resource /s/..., another one, and the test in the place of
// the loop that publishes. The clock stands still.

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_WORKER_OBSERVER_H
#define POSTERN_TESTS_UNIT_DATAPLANE_WORKER_OBSERVER_H

#include "dataplane/state/notify.h"
#include "dataplane/worker/observers.h"
#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#define PER_DEVICE 5
#define CONFIRM    4
#define FRESH_MS   100500
#define RATE_ROOM  4 // notifications at once

extern struct bed bed;
extern struct bed_device device, other;
extern struct bed_request request; // the last one
extern struct bed_answer answer;   // the last one
extern struct coap_body body;      // of it
extern uint64_t last_piv;          // of the notifications that were checked
extern uint8_t observer_code;      // method of requests
extern struct dp_route routes[2];  // the first one can be observed

// For TestSuite().
void observer_init(void);
// Also checks that the slots are held by what observes them.
void observer_fini(void);

// Observations of the worker.
unsigned observers(void);
void later(uint64_t ms);

struct published {
	uint8_t code;
	uint16_t format;
	const char *payload;
	size_t len;
	uint64_t observe_ms; // 0: as long as it is fresh
	bool quiet;          // workers are not told
	const char *etag;    // of one byte, or NULL
};

// The loop publishes /s/PATH, and tells the worker.
void publish_with(const char *path, const struct published *p);
void publish(const char *path, const char *payload);

// The loop takes out what is observed, and tells the worker.
void take_out(void);

// A GET of /s/PATH with Observe, a token of two bytes and a block size: none if they are negative
// or NULL.
void send_get(const struct bed_device *from, enum coap_type type, const char *path, int observe,
	const char *token, int szx);
void expect_nothing(void);
// Takes a message to the device, and opens it as an answer to a registration.
void take(const struct bed_device *to, const struct bed_request *registration);
// Checks that what was taken is a 2.05 notification, newer than all before. payload may be NULL.
void check_notification(const char *payload);
void expect_notification(
	const struct bed_request *registration, enum coap_type type, const char *payload);
void expect_plain(uint8_t code);
// An error that ends the only registration.
void expect_end(const struct bed_request *registration, uint8_t code);
// The device acknowledges a message.
void ack(uint16_t of);
// The device registers, and gets the first answer.
void registered(const char *path, const char *payload);

#endif
