// SPDX-License-Identifier: BSD-3-Clause
// Parts of the gateway that outlive it, as to make them again is most of what a life would cost.

#ifndef POSTERN_TESTS_SIM_REUSE_H
#define POSTERN_TESTS_SIM_REUSE_H

#define REUSE_RING_SLOTS 256        // of events, commands and whatever has more
#define REUSE_COPY_RING  (16 << 10) // bytes of a ring of messages to the handshake thread, and back

struct conf;

// Before anything opens a database.
void reuse_init(void);
// This configuration is not freed.
void reuse_conf(struct conf *conf);

#endif
