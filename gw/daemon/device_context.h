// SPDX-License-Identifier: BSD-3-Clause
// Which context serves a device now: that of its keys, or of a session of EDHOC.

#ifndef POSTERN_GW_DAEMON_DEVICE_CONTEXT_H
#define POSTERN_GW_DAEMON_DEVICE_CONTEXT_H

#include "gw/daemon/daemon.h"
#include "gw/daemon/sessions.h"
#include "gw/store/jobs.h"

// Of the sessions of a credential: the newest that was used, or if none was the newest. False: it
// has none.
bool device_session(const struct daemon *daemon, uint64_t credential, struct session_view *session);
// Of the device with the name that a job has asked the store for, also of one that is not stored
// but made by an authority. Sets the index. NULL: it is not served now, or, if the job failed, is
// unknown.
const struct dp_context *device_context(
	const struct daemon *daemon, const struct store_show_job *asked, uint32_t *index);

// A device that is not stored, but was made by an authority and has a session: what there is to say
// of it, as of one that is stored since its session began. False: there is none with the name.
bool device_of_authority(const struct daemon *daemon, const char *name, struct device_info *info);

#endif
