// SPDX-License-Identifier: BSD-3-Clause
// Reading the configuration again while the daemon runs. All of it takes effect or nothing, and no
// request is lost: the loops have the new one before the workers do, and the old one stays until
// nothing is left of it. Keys that take effect at a start only must be as they were.

#ifndef POSTERN_GW_DAEMON_RELOAD_H
#define POSTERN_GW_DAEMON_RELOAD_H

#include "gw/daemon/daemon.h"

// Reads the file of the start again, or only says what that would do. The request is answered to
// the end, at once or later; NULL: the log gets the answer.
void reload_begin(struct daemon *daemon, struct ctl_request *req, bool dry_run);
// In each turn of main. Returns whether it wants another one soon.
bool reload_turn(struct daemon *daemon);
// The daemon stops: answers who waits.
void reload_stop(struct daemon *daemon);
// Frees what is left of a reload, when the threads of handshakes are gone.
void reload_free(struct daemon *daemon);

// Of struct ctl_ops.
void verb_reload(void *arg, struct ctl_request *req, bool dry_run);
void verb_config_diff(void *arg, struct ctl_request *req, const char *path);

#endif
