// SPDX-License-Identifier: BSD-3-Clause
// What services push: PUT and DELETE to push.listen, and the verb "observe push". Main finds the
// route and the device, the loop that is the home of the route publishes, and main says how it
// went.

#ifndef POSTERN_GW_DAEMON_PUSH_H
#define POSTERN_GW_DAEMON_PUSH_H

#include "gw/daemon/daemon.h"

// Listens, unless push.listen is off. Returns 0 or -errno after the reason was logged.
int push_open(struct daemon *daemon) __attribute__((warn_unused_result));
// Starts the thread of the listener. Returns 0 or -errno after the reason was logged.
int push_start(struct daemon *daemon) __attribute__((warn_unused_result));
// Readable when there is something for push_turn().
int push_fd(const struct daemon *daemon);
// Takes what came, and what was published.
void push_turn(struct daemon *daemon);
void verb_observe_push(void *arg, struct ctl_request *req, const struct ctl_pushed *pushed);
// The loops are about to end: what comes from now on is refused.
void push_stop(struct daemon *daemon);
// The loops and the store's thread have ended: answers what is left and ends the listener.
void push_close(struct daemon *daemon);

// A reload: the token of the configuration, from its file. Returns 0, or -errno with a line in
// *error.
int push_token_read(const struct conf *conf, struct header_lines **token, struct error *error)
	__attribute__((warn_unused_result));
// The snapshot that is used now has it, and its hosts.
void push_configured(struct daemon *daemon);

// Pushes that were published, and those that were refused.
uint64_t push_taken(const struct daemon *daemon);
uint64_t push_refused(const struct daemon *daemon);

#endif
