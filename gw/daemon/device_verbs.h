// SPDX-License-Identifier: BSD-3-Clause
// The verbs of devices: add, list, show, remove, resync, rotate.

#ifndef POSTERN_GW_DAEMON_DEVICE_VERBS_H
#define POSTERN_GW_DAEMON_DEVICE_VERBS_H

#include "gw/daemon/daemon.h"

// `daemon` is a struct daemon; each answers its request as struct ctl_ops says.
void verb_device_add(
	void *daemon, struct ctl_request *req, const struct device_spec *spec, bool replace);
void verb_device_list(void *daemon, struct ctl_request *req, const char *after, unsigned limit,
	const struct ctl_device_filter *filter);
void verb_device_show(void *daemon, struct ctl_request *req, const char *name);
void verb_device_remove(void *daemon, struct ctl_request *req, const char *name);
void verb_device_resync(
	void *daemon, struct ctl_request *req, const char *name, bool has_from, uint64_t from);
void verb_device_rotate(
	void *daemon, struct ctl_request *req, const char *name, const struct device_spec *spec);

#endif
