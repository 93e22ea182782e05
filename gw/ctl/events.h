// SPDX-License-Identifier: BSD-3-Clause
// Events of the control socket: messages with id 0 to all clients that asked for them with the verb
// "events". The server waits for no client: one that does not read is cut off, as always. Strings
// end with 0. `server` may be NULL.

#ifndef POSTERN_GW_CTL_EVENTS_H
#define POSTERN_GW_CTL_EVENTS_H

#include "gw/ctl/server.h"

// "device.state": a device is in another state.
void ctl_event_device_state(struct ctl_server *server, const char *name, const char *state);
// "limit": the keys of a device came to a limit: "use-half", "use", "forgery-half", "forgery".
void ctl_event_limit(struct ctl_server *server, const char *name, const char *limit);
// "alarm": one more, or one less, of the alarms in the status.
void ctl_event_alarm(struct ctl_server *server, const char *sentence, bool active);
// "upstream.state": another number of its servers is up.
void ctl_event_upstream_state(
	struct ctl_server *server, const char *name, unsigned servers, unsigned servers_up);
// "server.order": an operator ordered "ready", "drain" or "maint" of a server of an upstream.
void ctl_event_server_order(
	struct ctl_server *server, const char *upstream, const char *url, const char *order);

#endif
