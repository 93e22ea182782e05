// SPDX-License-Identifier: BSD-3-Clause
// Changes of devices that failed because of the disk: what they were to do may be in the store all
// the same, or not, and while the disk fails nobody knows. As soon as it is sound again, main asks
// the store for these devices, and makes the data plane have what the store has.

#ifndef POSTERN_GW_DAEMON_DOUBTS_H
#define POSTERN_GW_DAEMON_DOUBTS_H

#include "gw/daemon/daemon.h"
#include "gw/store/import_job.h"

// A verb about the device of this name ended with `result`. `before` is the device that it was to
// retire, if that is known to be another than what the store has under the name then; NULL: none.
// Does nothing unless the result is a failure of the disk.
void doubts_put(
	struct daemon *daemon, int result, const char *name, const struct device_info *before);
// An import is over, and maybe in doubt. Takes the job over, and frees it.
void doubts_put_import(struct daemon *daemon, struct store_import_job *import);
// In each turn of main.
void doubts_turn(struct daemon *daemon);
void doubts_free(struct daemon *daemon);

#endif
