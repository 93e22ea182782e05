// SPDX-License-Identifier: BSD-3-Clause
// A client of the control socket, for posternctl and any other program (docs/control.md): connects,
// sends one request at a time, and reads its replies, or events. Its calls block, at most for the
// timeout. It prints nothing: what failed is in what a call returns.
//
//	struct ctl_client client = {.fd = -1};
//	static struct ctl_writer request;
//	static struct ctl_reply reply;
//
//	ret = ctl_client_connect(&client, CTL_SOCKET_DEFAULT, 10);
//	ctl_client_begin(&client, &request, "device show");
//	ctl_put_text(&request, "name", "pump-7");
//	ret = ctl_client_send(&client, &request, -1);
//	ret = ctl_client_receive(&client, &reply);
//
// All functions that can fail return 0 or -errno. -EAGAIN is the timeout; every other one of send
// and receive but -EMSGSIZE means that the connection is lost.

#ifndef POSTERN_GW_CTL_CLIENT_H
#define POSTERN_GW_CTL_CLIENT_H

#include "gw/ctl/cbor_walk.h"
#include "gw/ctl/cbor_write.h"
#include "gw/ctl/message.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl_client {
	int fd;           // -1: not connected
	uint64_t last_id; // of the last request
};

struct ctl_reply {
	struct ctl_message message; // points into data
	uint8_t data[CTL_MESSAGE_MAX];
};

// Connects to the socket at the path. timeout_s is how many seconds each later call waits, 0 for
// ever. -ENOENT and -ECONNREFUSED: no daemon listens there; -EACCES; -ENAMETOOLONG; -EAGAIN: too
// many clients wait to be accepted. client->fd is -1 after a failure. A request may be begun
// before.
int ctl_client_connect(struct ctl_client *client, const char *path, uint64_t timeout_s)
	__attribute__((warn_unused_result));
void ctl_client_close(struct ctl_client *client);
// Changes how long each call waits.
void ctl_client_set_timeout(struct ctl_client *client, uint64_t timeout_s);

// Starts a request. The caller puts its arguments into the map that is open then.
void ctl_client_begin(struct ctl_client *client, struct ctl_writer *request, const char *verb);
// Ends the request, sends it, with the file descriptor if fd is not negative, and wipes it.
// -EMSGSIZE: it does not fit a message; nothing was sent.
int ctl_client_send(struct ctl_client *client, struct ctl_writer *request, int fd)
	__attribute__((warn_unused_result));
// Waits for the next reply to the last request, or for an error of the whole connection; passes
// over events and replies to other requests. -ENODATA: the daemon hung up; -EPROTO: it sent
// something that is no message.
int ctl_client_receive(struct ctl_client *client, struct ctl_reply *reply)
	__attribute__((warn_unused_result));
// Whether a reply is "ok"; if not, its word is the code of an error.
bool ctl_reply_is_ok(const struct ctl_reply *reply);
// Waits for the next event. Its word is its name.
int ctl_client_receive_event(struct ctl_client *client, struct ctl_reply *reply)
	__attribute__((warn_unused_result));
// Waits until the daemon hangs up. -EAGAIN: it did not.
int ctl_client_wait_for_end(struct ctl_client *client) __attribute__((warn_unused_result));

#endif
