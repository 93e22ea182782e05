// SPDX-License-Identifier: BSD-3-Clause
// Stages 11 to 13: a verified request is read, checked against rules and routes, and answered by
// a builtin or handed to an upstream loop. Its Partial IV is spent: every answer from here on is
// protected (RFC 8613 section 8.3).

#ifndef POSTERN_DATAPLANE_WORKER_REQUEST_H
#define POSTERN_DATAPLANE_WORKER_REQUEST_H

#include "dataplane/worker/worker.h"

void dp_request(struct dp_worker *w, struct pkt_vec *vec);

#endif
