// SPDX-License-Identifier: BSD-3-Clause
// A server of the control socket in a directory of its own, and clients of it. Server and clients
// take turns on one thread: nothing has to be waited for.

#ifndef POSTERN_TESTS_UNIT_GW_CTL_FIXTURE_H
#define POSTERN_TESTS_UNIT_GW_CTL_FIXTURE_H

#include "gw/ctl/cbor_write.h"
#include "gw/ctl/server.h"

#include <stdbool.h>
#include <stdint.h>

struct fixture {
	char directory[64];
	char path[96]; // of the socket
	struct ctl_server_conf conf;
	struct ctl_server *server;
};

// All of these abort the test on failure.

// Fills in conf for a server with these verbs, whose admin is the caller; starts none.
void fixture_init(
	struct fixture *fixture, const struct ctl_verb *verbs, size_t verb_count, void *arg);
void fixture_start(struct fixture *fixture);
// Stops the server and removes the directory, if that was not done before.
void fixture_stop(struct fixture *fixture);
// Lets the server work until it has nothing to do.
void fixture_turn(struct fixture *fixture);
struct ctl_server_stats fixture_stats(const struct fixture *fixture);

int client_connect(const char *path);
// Sends bytes, with file descriptors.
void client_send_raw(int fd, const void *data, size_t len, const int *fds, unsigned fd_count);
// Starts [id, verb, { in a writer of the fixture; put the arguments into it, then send.
struct ctl_writer *client_begin(uint64_t id, const char *verb);
void client_send(int fd, const int *fds, unsigned fd_count);
// A request without arguments.
void client_request(int fd, uint64_t id, const char *verb);

struct reply {
	bool closed; // the server hung up
	uint64_t id;
	char status[64];
	struct ctl_cbor body; // a map
	size_t len;
	uint8_t data[CTL_MESSAGE_MAX];
};

// Receives what is there. False if nothing is.
bool client_receive(int fd, struct reply *reply);
// Lets the server work and expects a reply of this id and status.
void client_expect(
	struct fixture *fixture, int fd, struct reply *reply, uint64_t id, const char *status);

// Values of a reply's body, which must be there.
uint64_t reply_uint(const struct reply *reply, const char *key);
bool reply_bool(const struct reply *reply, const char *key);
bool reply_text_is(const struct reply *reply, const char *key, const char *text);
bool reply_bytes_are(const struct reply *reply, const char *key, const void *data, size_t len);
bool reply_has(const struct reply *reply, const char *key);

// Open file descriptors of this process.
unsigned open_fds(void);

#endif
