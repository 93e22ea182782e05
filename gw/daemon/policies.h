// SPDX-License-Identifier: BSD-3-Clause
// Numbers for the names of policies: those of the configuration, and those that devices name. A
// name keeps its number for as long as the daemon runs, so that a device need not be looked up
// again when a reload changes, adds or removes its policy.

#ifndef POSTERN_GW_DAEMON_POLICIES_H
#define POSTERN_GW_DAEMON_POLICIES_H

#include "gw/conf/conf.h"
#include "gw/device/device.h"

#include <stdbool.h>
#include <stdint.h>

struct policy_name {
	char name[DEVICE_POLICY_MAX + 1];
	uint32_t devices; // in the data plane
	bool configured;
};

// Main's. All zero at the start.
struct policies {
	struct policy_name *named; // [room]; the first is of DP_PERMIT_ALL and has no name
	unsigned count, room;      // count: with the first one
	uint16_t *place;           // [places] numbers by the hash of their names; 0: free
	unsigned places;           // a power of two; at most half of them are taken
	uint64_t unnumbered;       // devices whose policy got no number
	uint64_t missing;          // devices whose policy the configuration lacks, with those
	bool told;                 // nothing was missing, or is, since it was told
};

// Numbers the policies of a configuration. Returns 0, -ENOMEM, or -ENOSPC after 65 533 names.
int policies_number(struct policies *policies, struct conf *conf)
	__attribute__((warn_unused_result));
// From now on this configuration is used.
void policies_configured(struct policies *policies, const struct conf *conf);
// The number for a device: DP_PERMIT_ALL without a policy, DP_PERMIT_NOTHING if there is none left.
uint16_t policies_get(struct policies *policies, const char *name);
// The number of a name if it has one, else DP_PERMIT_NOTHING.
uint16_t policies_find(const struct policies *policies, const char *name);
// Counts a device with this number that comes (1) or goes (-1).
void policies_count(struct policies *policies, uint16_t number, int change);
// Whether a device with this number may do something.
bool policies_is_configured(const struct policies *policies, uint16_t number);
void policies_free(struct policies *policies);

#endif
