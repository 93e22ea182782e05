// SPDX-License-Identifier: BSD-3-Clause
// What programs need that are many devices at once: their sockets, tokens that say whose answer it
// is, and how long answers took.

#ifndef POSTERN_BENCH_MANY_DEVICES_H
#define POSTERN_BENCH_MANY_DEVICES_H

#include "dataplane/coap/message.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANY_TOKEN_LEN   8
#define MANY_SOCKETS_MAX 64
#define MANY_LATENCY_MAX 60000 // milliseconds; what took longer is counted there

// Sockets that devices share, all to one gateway.
struct many_sockets {
	unsigned count;
	int fd[MANY_SOCKETS_MAX];
};

// Opens `count` of them, at most MANY_SOCKETS_MAX. Returns 0 or -errno; the caller closes them
// either way.
int many_sockets_open(struct many_sockets *sockets, unsigned count, const struct sockaddr_in *to)
	__attribute__((warn_unused_result));
void many_sockets_close(struct many_sockets *sockets);
// Sends for the device with this number. What is lost here has to be sent again.
void many_sockets_send(
	const struct many_sockets *sockets, uint32_t device, const uint8_t *bytes, size_t len);
// Waits for a millisecond at most, acknowledges what is confirmable, and gives what is a message.
void many_sockets_turn(const struct many_sockets *sockets,
	void (*take)(void *arg, const struct coap_msg *msg, uint64_t now_ms), void *arg);

// The token of a message: the place of who sends it, and which of its messages it is.
void many_token_write(uint8_t token[MANY_TOKEN_LEN], uint32_t place, uint32_t generation);
// False if a message is empty or has no such token.
bool many_token_read(const struct coap_msg *msg, uint32_t *place, uint32_t *generation);

// Counts by milliseconds.
struct many_latency {
	unsigned long at[MANY_LATENCY_MAX + 1], count;
};

void many_latency_add(struct many_latency *latency, uint64_t ms);
// Milliseconds that this share of all took at most.
unsigned many_latency_quantile(const struct many_latency *latency, double share);

#endif
