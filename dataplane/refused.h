// SPDX-License-Identifier: BSD-3-Clause
// Main reads what workers copied of the packets that they refused (shared/refused.h). On main's
// thread; workers go on meanwhile, and nothing is taken from them.

#ifndef POSTERN_DATAPLANE_REFUSED_H
#define POSTERN_DATAPLANE_REFUSED_H

#include "dataplane/dp.h"
#include "dataplane/shared/refused.h"

// Packets that dp_refused_read() gives at most.
unsigned dp_refused_most(const struct dp *dp);

// A packet, and which worker refused it.
struct dp_refused_of {
	struct dp_refused_packet packet;
	unsigned worker;
};

// Copies the last packets that were refused for one reason, the newest first, to packets[], which
// has room for dp_refused_most(). Returns how many.
unsigned dp_refused_read(const struct dp *dp, enum dp_stat reason, struct dp_refused_of *packets);

#endif
