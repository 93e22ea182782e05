// SPDX-License-Identifier: BSD-3-Clause
// Devices: clients of RFC 7252 and RFC 8613 that have one request under way, send it again, answer
// challenges, and are added, removed and given other keys by an operator.

#ifndef POSTERN_TESTS_SIM_DEVICE_H
#define POSTERN_TESTS_SIM_DEVICE_H

#include "gw/device/device.h"
#include "tests/sim/oracle.h"

#define DEVICES        9
#define DEVICE_GIVE_UP 93000 // ms, MAX_TRANSMIT_WAIT

void devices_begin(void);
const char *device_name(unsigned device);
bool device_has_own_piv(unsigned device);
bool device_rederives(unsigned device); // by appendix B.2
bool device_is_of_the_clock(unsigned device);
// What an operator adds it with; new keys if `fresh`, which it uses when device_provisioned().
struct device_spec device_spec(unsigned device, bool fresh);
// The gateway served request `number` under these keys of its own: its store has them.
void device_served(unsigned device, unsigned client, uint32_t number);
// An operator begins to change it: whatever it was served under may be gone.
void device_changes(unsigned device);
// It was stored with the keys of the last device_spec(), which are fresh or those that it has.
void device_provisioned(unsigned device, bool fresh);
void device_removed(unsigned device);
// After a start: the gateway has this key for it. NULL: it does not have the device.
void device_stored(unsigned device, const uint8_t *recipient_key);
// Whether it may be given keys once more in this schedule.
bool device_may_have_keys(unsigned device);
bool device_is_there(unsigned device);
// Its next sequence number.
uint64_t device_next(unsigned device);

// Does what is due; begins a new request if it has none and `begin`.
void device_turn(unsigned device, bool begin);
// When it has something to do next, sim.ms.
uint64_t device_due_ms(unsigned device);
// All of them take what the network has for them. Returns how many messages that were.
unsigned devices_receive(void);
// Its packets come to another worker from now on, or it has another address.
void device_moves(unsigned device);
// Requests that succeeded since device_begins_anew().
unsigned device_successes(unsigned device);
// It starts again, with the next numbers; one without Echo passes its mark.
void device_begins_anew(unsigned device);

#endif
