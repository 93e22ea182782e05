// SPDX-License-Identifier: BSD-3-Clause
// What a worker reports to main of the requests that it answers by itself, for the access log.

#ifndef POSTERN_DATAPLANE_WORKER_ACCESS_H
#define POSTERN_DATAPLANE_WORKER_ACCESS_H

#include "dataplane/worker/worker.h"

// Makes the ring for records, where any are wanted: 0 or -errno.
int dp_access_init(struct dp_worker *w, unsigned percent) __attribute__((warn_unused_result));
// Writes down a request in a slot of the burst, before its plaintext is written over.
void dp_access_request(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	struct dp_access_record *record);
// Adds what the worker answers, and sends the record to main. It is lost and counted if main has
// not read those before.
void dp_access_answer(
	struct dp_worker *w, struct dp_access_record *record, uint8_t code, uint16_t len);

#endif
