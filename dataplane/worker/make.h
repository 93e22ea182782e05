// SPDX-License-Identifier: BSD-3-Clause
// How a worker and all it owns is made and freed, by main, before and after it runs.

#ifndef POSTERN_DATAPLANE_WORKER_MAKE_H
#define POSTERN_DATAPLANE_WORKER_MAKE_H

#include "base/error.h"
#include "dataplane/worker/worker.h"

// Makes a worker and all it owns. NULL and a line in *error on failure.
struct dp_worker *dp_worker_create(const struct dp_conf *conf, const struct dp_tables *tables,
	unsigned id, struct error *error);
// Wipes it, too.
void dp_worker_free(struct dp_worker *w);
// Most mbufs that one can have in use at once, and so the size of its pool: in queues, rings to
// other workers, caches and hands.
unsigned dp_worker_pool_mbufs(const struct dp_conf *conf);
// Bytes that one takes of EAL's memory.
size_t dp_worker_eal_bytes(const struct dp_conf *conf, bool huge_pages);
// Gives a started port, with a queue for this worker, to it.
void dp_worker_attach(struct dp_worker *w, uint16_t port_id, uint16_t mtu,
	const struct dp_port_addresses *addresses);

#endif
