// SPDX-License-Identifier: BSD-3-Clause
// What happens to a packet, stage by stage, told to main while it asks for that. A packet that is
// traced passes the stages alone: what a stage counted meanwhile is what it did with it.

#ifndef POSTERN_DATAPLANE_WORKER_TRACE_H
#define POSTERN_DATAPLANE_WORKER_TRACE_H

#include "dataplane/worker/worker.h"

// Whether a packet is of those to be traced. handed: from another worker, which has opened it.
bool dp_trace_wants(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, bool handed);
// Begins with one. Returns false if as many as were asked for have begun.
bool dp_trace_begin(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, bool handed);
// Around a stage with nothing but that packet.
void dp_trace_stage_begin(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stage stage);
void dp_trace_stage_end(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stage stage);
// Of the answers of the batch that ready[] lists, those to requests that are traced.
void dp_trace_answers(struct dp_worker *w, const uint8_t *ready, unsigned n);
// Of the handles that an upstream loop gives back, the same.
void dp_trace_returned(struct dp_worker *w, const dp_handle *handles, unsigned n);

#endif
