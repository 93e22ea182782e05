// SPDX-License-Identifier: BSD-3-Clause
// From a message to the handler of its verb.

#ifndef POSTERN_GW_CTL_DISPATCH_H
#define POSTERN_GW_CTL_DISPATCH_H

#include "gw/ctl/requests.h"

// What messages are dispatched to; constant while the server lives.
struct ctl_verb_table {
	const struct ctl_verb *verbs;
	size_t count;
	void *arg; // handed to the handlers
};

// Handles a message of a peer: calls the handler of its verb, or answers with an error. A
// descriptor that the request takes becomes -1 in fds; the others stay the caller's.
void ctl_dispatch(const struct ctl_verb_table *table, struct ctl_requests *requests,
	struct ctl_peer *peer, const uint8_t *message, size_t len, int *fds, unsigned fd_count);
// Answers a message that became no request with an error; its text is cut at CTL_TEXT_MAX bytes.
void ctl_reject(struct ctl_requests *requests, struct ctl_peer *peer, uint64_t id,
	enum ctl_error error, const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
