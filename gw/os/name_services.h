// SPDX-License-Identifier: BSD-3-Clause
// The modules of the name service switch (nsswitch.conf), which the C library loads when it first
// asks one for a host, a user or a group.

#ifndef POSTERN_GW_OS_NAME_SERVICES_H
#define POSTERN_GW_OS_NAME_SERVICES_H

// Loads those that nsswitch.conf names, so that none is loaded later. What cannot be loaded will
// not be later either, and is passed over.
void name_services_load(void);

#endif
