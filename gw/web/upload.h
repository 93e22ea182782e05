// SPDX-License-Identifier: BSD-3-Clause
// A request that brings something: PUT and DELETE to the listener of what services push.

#ifndef POSTERN_GW_WEB_UPLOAD_H
#define POSTERN_GW_WEB_UPLOAD_H

#include "gw/web/resource.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEB_UPLOAD_FIELD_MAX 255 // bytes of a header that is kept
#define WEB_UPLOAD_BY_MAX    80
#define WEB_UPLOAD_SAYS_MAX  512

struct MHD_Connection;
struct web;

// Of the server, until `take` of struct web_conf has it; from then on of who took it, until
// web_upload_answer().
struct web_upload {
	struct web_resource resource;
	bool is_delete;
	char type[WEB_UPLOAD_FIELD_MAX + 1];   // Content-Type; "": not said
	char coding[WEB_UPLOAD_FIELD_MAX + 1]; // Content-Encoding; "": not said
	uint32_t max_age_s;                    // of Cache-Control; 0: not said
	uint8_t *body;
	size_t len;                 // bytes
	char by[WEB_UPLOAD_BY_MAX]; // who sent it, in words: a user or an address
	// The answer: says is why not, "" for a success.
	unsigned status;
	char says[WEB_UPLOAD_SAYS_MAX];
	// The server's own:
	struct web *web;
	struct MHD_Connection *connection;
	struct web_upload *next; // that is answered, too
	size_t room;             // bytes at body
	size_t skipped;          // bytes of one that is too large
	bool begun, too_large, taken, answered;
	char target[WEB_TARGET_MAX + 2]; // cut, if it is too long
};

// ---- for the server

// Whether a request says that it has a body, also an empty one.
bool web_upload_has_length(struct MHD_Connection *connection);
// A request begins, of this target. NULL: no memory.
struct web_upload *web_upload_make(struct web *web, const char *target);
// Wipes and frees it. NULL is allowed.
void web_upload_free(struct web_upload *upload);
// Reads its head, but for Host and Authorization. Returns 0, or the status to refuse it with, and
// *why.
unsigned web_upload_begin(struct web_upload *upload, struct MHD_Connection *connection,
	const char *method, size_t body_max, const char **why);
// Adds bytes of its body. false: it is beyond all measure, or there is no memory.
bool web_upload_add(struct web_upload *upload, const void *bytes, size_t len, size_t body_max)
	__attribute__((warn_unused_result));
// Writes the answer as JSON. Returns its length, 0 if it has no body.
size_t web_upload_write(unsigned status, const char *says, char *buf, size_t room);

#endif
