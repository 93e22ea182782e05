// SPDX-License-Identifier: BSD-3-Clause
// Checks what a PCI device lacks to become a port, before a driver of DPDK tries: the drivers give
// the same error for most of it.

#ifndef POSTERN_DATAPLANE_PORT_PCI_H
#define POSTERN_DATAPLANE_PORT_PCI_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct dp_pci_conf {
	const char *name;    // of the port, for the message
	const char *address; // such as 0000:01:00.0
	const char *root;    // where /sys and /dev are; "" but in tests
	bool huge_pages;     // whether EAL has them
	size_t memory_mb;    // that the driver maps for the device
};

// Looks at the device, its driver, its IOMMU group and the limits of this process. Opens the group
// for a moment, so before EAL starts (which keeps it open). May raise the soft limit of locked
// memory to the hard one. Returns 0 or -errno with a line in *error that says what to do.
int dp_pci_check(const struct dp_pci_conf *conf, struct error *error)
	__attribute__((warn_unused_result));

#endif
