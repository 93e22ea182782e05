// SPDX-License-Identifier: BSD-3-Clause
// What a worker gives to the threads of the slow path, and what comes back: answers to send, and
// requests that main has pass the stages once more.

#ifndef POSTERN_DATAPLANE_WORKER_SLOW_H
#define POSTERN_DATAPLANE_WORKER_SLOW_H

#include "dataplane/worker/worker.h"

// Messages a second, worker and network that are answered unprotected whatever errors says. Devices
// of one site come back together after a crash: of 40 behind one address, told one a second, 21
// gave up.
#define DP_SLOW_TELL_RATE 32

// Makes the ends of a worker of all lanes. Returns 0 or -errno.
int dp_slow_attach(struct dp_worker *w, const struct dp_conf *conf, const struct dp_tables *tables)
	__attribute__((warn_unused_result));
void dp_slow_free(struct dp_worker *w);

// A request with a name that nobody has. True if its kid has rederive: b2: then it goes to the slow
// path, and ends here. Else nothing is done.
bool dp_slow_unknown(struct dp_worker *w, struct pkt_vec *vec, unsigned slot) __attribute__((cold));

// A verified request of a context whose window is unknown, and whose device recovers by B.2: the
// thread answers it with step 2. It ends here.
void dp_slow_window(struct dp_worker *w, struct pkt_vec *vec, unsigned slot) __attribute__((cold));

// Whether a request without OSCORE is one of EDHOC, which is served. It goes to the slow path then,
// and ends here. One with the EDHOC option is refused, and ends here, too.
bool dp_slow_edhoc(struct dp_worker *w, struct pkt_vec *vec, unsigned slot) __attribute__((cold));

// A request with the options OSCORE, which is parsed, and EDHOC. True if EDHOC is served and the
// kid can be a connection identifier of it: then it goes to the slow path, and ends here.
bool dp_slow_combined(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
	__attribute__((cold));

// Whether the sender of a request with a kid that nobody has learns that now, though errors are
// silent: it may have been a session of EDHOC, and its device must know that it is gone.
bool dp_slow_tells(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
	__attribute__((cold));

// Whether somebody has put something into the rings to this worker.
static inline bool dp_slow_called(const struct dp_worker *w)
{
	return __atomic_load_n(&w->slow_called, __ATOMIC_RELAXED) != 0;
}
// Sends what the threads answered. Returns how many.
unsigned dp_slow_answers(struct dp_worker *w);
// Fills a burst with requests that main gives back. Returns how many.
unsigned dp_slow_reinjected(struct dp_worker *w, struct pkt_vec *vec);
// Rings the threads for which something was put this turn.
void dp_slow_ring(struct dp_worker *w);

#endif
