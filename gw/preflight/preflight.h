// SPDX-License-Identifier: BSD-3-Clause
// Looks at a machine before the gateway starts on it, and says of each thing that the gateway needs
// whether it is there, and what to type if it is not. Nothing is changed.

#ifndef POSTERN_GW_PREFLIGHT_PREFLIGHT_H
#define POSTERN_GW_PREFLIGHT_PREFLIGHT_H

#include "gw/conf/conf.h"

#include <stdbool.h>
#include <stdint.h>

#define PREFLIGHT_MAX        256 // findings; what comes after is left out
#define PREFLIGHT_TEXT_MAX   1024
#define PREFLIGHT_REMEDY_MAX 256

enum preflight_level {
	PREFLIGHT_OK,
	PREFLIGHT_WARNING, // it would start, and be slower or less safe
	PREFLIGHT_PROBLEM, // it would not start
};

struct preflight_finding {
	enum preflight_level level;
	const char *topic;                 // "cpu", static
	char text[PREFLIGHT_TEXT_MAX];     // one line
	char remedy[PREFLIGHT_REMEDY_MAX]; // a command that mends it; "" for none
};

struct preflight {
	// Written by the caller:
	const struct conf *conf;
	const char *root;     // where /proc, /sys and /dev are; "" but in tests
	uint64_t memory_mb;   // that DPDK needs; 0: not known
	uint64_t descriptors; // that the gateway needs; 0: not known
	bool clock_unsynchronised;
	// Written by what is called:
	struct preflight_finding finding[PREFLIGHT_MAX];
	unsigned count;
};

// Appends a finding; the caller may add a remedy to it. Never NULL.
struct preflight_finding *preflight_add(struct preflight *preflight, enum preflight_level level,
	const char *topic, const char *format, ...) __attribute__((format(printf, 4, 5)));
void preflight_remedy(struct preflight_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

// CPU, workers' CPUs, huge pages, limits, clock.
void preflight_machine(struct preflight *preflight);
// Devices of the ports, listeners, and whether a gateway runs already.
void preflight_ports(struct preflight *preflight);
// The worst level of all findings.
enum preflight_level preflight_worst(const struct preflight *preflight);

#endif
