// SPDX-License-Identifier: BSD-3-Clause
// Who is answered: the Host that a request names, and the token that it shows. Main sets both, the
// server's thread asks.

#ifndef POSTERN_GW_WEB_ALLOW_H
#define POSTERN_GW_WEB_ALLOW_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEB_ALLOW_HASH 32 // bytes

struct MHD_Connection;

struct web_allow {
	pthread_mutex_t lock; // of the rest
	char *const *hosts;   // the caller's
	size_t host_count;
	bool has_token;
	uint8_t key[WEB_ALLOW_HASH], token[WEB_ALLOW_HASH]; // a keyed hash of it
};

void web_allow_init(struct web_allow *allow);
void web_allow_fini(struct web_allow *allow);
void web_allow_hosts(struct web_allow *allow, char *const *hosts, size_t count);
// NULL: none is needed.
void web_allow_token(struct web_allow *allow, const char *token);

// Whether a request has one Host, and an allowed one.
bool web_allow_has_host(struct web_allow *allow, struct MHD_Connection *connection);
// Whether it has the token, if one is needed.
bool web_allow_has_token(struct web_allow *allow, struct MHD_Connection *connection);

#endif
