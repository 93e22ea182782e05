// SPDX-License-Identifier: BSD-3-Clause
// An HTTP request as it is made, and an answer as it is read, whichever version of HTTP carries
// them.

#ifndef POSTERN_GW_HTTP_MESSAGE_H
#define POSTERN_GW_HTTP_MESSAGE_H

#include "gw/http/errors.h"
#include "gw/http/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_TARGET_MAX   8192 // bytes of path and query
#define HTTP_HEADERS_MAX  32
#define HTTP_HEADER_ROOM  4096  // bytes of all headers that a request has for itself
#define HTTP_LINES_ROOM   4096  // bytes of all that it shares with others
#define HTTP_REPLY_HEAD   16384 // bytes of all header lines of an answer, also of 1xx ones
#define HTTP_REPLY_VALUES 4096  // bytes of those values that are looked at

// ---- requests

struct http_header {
	const char *line; // "Name: value", ends with 0
	uint16_t name_len;
	uint16_t len;
};

// An HTTP request without the server's part: the URL is server->origin, server->base, path ("/" if
// both are empty) and query.
struct http_request {
	const char *method;
	bool idempotent;     // by its method (RFC 9110 section 9.2.2) or by its route
	bool has_body;       // the method has one, maybe empty
	const uint8_t *body; // the caller's
	size_t body_len;
	const char *path;  // "" or "/..", percent-encoded
	const char *query; // "" or "?.."
	struct http_header header[HTTP_HEADERS_MAX];
	unsigned header_count;
	struct http_text text; // writes into room
	char room[HTTP_TARGET_MAX + HTTP_HEADER_ROOM];
};

// Starts a header: the caller writes its value to req->text and passes what this returns to
// http_header_end(). One header too many makes the text fail.
char *http_header_start(struct http_request *req, const char *name);
void http_header_end(struct http_request *req, char *start);
// The same for a value that is there.
void http_header_add(struct http_request *req, const char *name, const char *value);
// The same for a line "Name: value" of the caller, which is not copied. All of a request have at
// most HTTP_LINES_ROOM bytes.
void http_header_add_line(
	struct http_request *req, const char *line, uint16_t name_len, uint16_t len);

// ---- answers

// The headers of an answer that are looked at.
enum http_reply_field {
	HTTP_FIELD_AGE,
	HTTP_FIELD_CACHE_CONTROL,
	HTTP_FIELD_CONNECTION,
	HTTP_FIELD_CONTENT_ENCODING,
	HTTP_FIELD_CONTENT_LENGTH,
	HTTP_FIELD_CONTENT_TYPE,
	HTTP_FIELD_DATE,
	HTTP_FIELD_ETAG,
	HTTP_FIELD_EXPIRES,
	HTTP_FIELD_KEEP_ALIVE,
	HTTP_FIELD_LAST_MODIFIED,
	HTTP_FIELD_LOCATION,
	HTTP_FIELD_OSCORE,
	HTTP_FIELD_RETRY_AFTER,
	HTTP_FIELD_TRANSFER_ENCODING,
	HTTP_FIELD_UPLOAD_LIMIT,
	HTTP_FIELD_VARY,
	HTTP_FIELD_COUNT,
};

// An HTTP answer.
struct http_reply {
	int status;
	const char *field[HTTP_FIELD_COUNT]; // NULL if not there
	const uint8_t *body;
	size_t body_len; // bytes at body
	bool body_cut;   // there were more
	size_t head_len; // bytes of header lines so far
	struct http_text text;
	char room[HTTP_REPLY_VALUES];
};

void http_reply_init(struct http_reply *reply);
// A status line came: forgets the headers of an earlier, 1xx answer.
void http_reply_status(struct http_reply *reply, int status);
// Takes one header line, without its line end. Refuses control characters, names that are no
// tokens, heads above HTTP_REPLY_HEAD, and framing that two readers could understand differently
// (RFC 9112 section 6.3).
enum http_error http_reply_header(struct http_reply *reply, const char *line, size_t len)
	__attribute__((warn_unused_result));
// The same for a header that was split already, its value without blanks around it.
enum http_error http_reply_field(struct http_reply *reply, const char *name, size_t name_len,
	const char *value, size_t value_len) __attribute__((warn_unused_result));

// Checks a line of a trailer, without its line end, like a header's; it must not speak of the
// framing (RFC 9110 section 6.5.1).
enum http_error http_trailer_check(const char *line, size_t len)
	__attribute__((warn_unused_result));
bool http_has_controls(const char *text, size_t len);

// What the head of an answer of HTTP/1.1 says about its connection (RFC 9112 section 9).
struct http_persistence {
	bool close;
	bool keep;
	uint32_t timeout_ms; // of Keep-Alive; 0: not there
};

// The head is whole. Fields that Connection names are forgotten: they were not meant for us. Those
// of the framing are not, since they have framed the answer whatever it says.
void http_reply_persistence(struct http_reply *reply, struct http_persistence *says);

// Drops the body of an answer, so that its status stands alone: the method was performed, and an
// error would have the device do it again. `head`: its headers too, which are not whole.
void http_reply_drop(struct http_reply *reply, bool head);

#endif
