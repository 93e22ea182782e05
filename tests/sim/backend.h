// SPDX-License-Identifier: BSD-3-Clause
// The servers behind the gateway, as an HTTP engine without sockets: a request waits until the
// schedule says what becomes of it.

#ifndef POSTERN_TESTS_SIM_BACKEND_H
#define POSTERN_TESTS_SIM_BACKEND_H

// All servers forget what they were asked.
void backend_begin(void);
// Something becomes of one request.
void backend_event(void);
// Requests that wait.
unsigned backend_waiting(void);

#endif
