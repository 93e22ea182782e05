// SPDX-License-Identifier: BSD-3-Clause
// Handshakes as counters: what their threads count, and main. A part of counters.c.

#ifndef POSTERN_GW_DAEMON_COUNTERS_HANDSHAKE_H
#define POSTERN_GW_DAEMON_COUNTERS_HANDSHAKE_H

#include "gw/daemon/counters.h"

size_t counters_handshake_rows(const struct counters *at);
const char *counters_handshake_read(const struct counters *at, size_t row, struct counter *counter);

#endif
