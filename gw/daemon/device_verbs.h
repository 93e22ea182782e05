// SPDX-License-Identifier: BSD-3-Clause
// The verbs of one device, or of a list.

#ifndef POSTERN_GW_DAEMON_DEVICE_VERBS_H
#define POSTERN_GW_DAEMON_DEVICE_VERBS_H

#include "gw/daemon/daemon.h"

// `daemon` is a struct daemon; each answers its request as struct ctl_ops says.
void operation_add(
	void *daemon, struct ctl_request *req, const struct device_spec *spec, bool replace);
void operation_list(void *daemon, struct ctl_request *req, const char *after, unsigned limit);
void operation_show(void *daemon, struct ctl_request *req, const char *name);
void operation_remove(void *daemon, struct ctl_request *req, const char *name);
void operation_resync(
	void *daemon, struct ctl_request *req, const char *name, bool has_from, uint64_t from);
void operation_rotate(
	void *daemon, struct ctl_request *req, const char *name, const struct device_spec *spec);

#endif
