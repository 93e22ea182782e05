// SPDX-License-Identifier: BSD-3-Clause
// The verbs of the store as a whole: check, backup, tombstones and the key that seals it.

#ifndef POSTERN_GW_DAEMON_STORE_VERBS_H
#define POSTERN_GW_DAEMON_STORE_VERBS_H

#include "gw/daemon/daemon.h"

// `daemon` is a struct daemon; each answers its request as struct ctl_ops says.
void verb_store_check(void *daemon, struct ctl_request *req);
void verb_store_backup(void *daemon, struct ctl_request *req, const char *path);
void verb_tombstone_list(
	void *daemon, struct ctl_request *req, const uint8_t *after, unsigned limit);
void verb_key_rotate(void *daemon, struct ctl_request *req, int fd);

#endif
