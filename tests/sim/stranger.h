// SPDX-License-Identifier: BSD-3-Clause
// Strangers: they have no keys, but have recorded all that devices sent.

#ifndef POSTERN_TESTS_SIM_STRANGER_H
#define POSTERN_TESTS_SIM_STRANGER_H

// Someone who listened sends a message of a device again, from there or elsewhere.
void stranger_replays(void);
void stranger_sends_junk(void);
// Many requests for contexts of devices that derive some.
void stranger_floods(void);

#endif
