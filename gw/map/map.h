// SPDX-License-Identifier: BSD-3-Clause
// The mapping between a device's CoAP request and an HTTP request, and between the HTTP answer and
// the CoAP answer (RFC 7252 section 10.1, RFC 8075 read backwards). No I/O. The tables are in
// map_tables.c; docs/http.md tells backends about all of it.

#ifndef POSTERN_GW_MAP_MAP_H
#define POSTERN_GW_MAP_MAP_H

#include "dataplane/shared/exchange.h"
#include "gw/conf/conf.h"
#include "gw/http/text.h"
#include "gw/map/etag.h"
#include "gw/map/tables.h"

#include <time.h>

#define HTTP_TARGET_MAX   8192 // bytes of path and query; more is answered 4.00
#define HTTP_HEADERS_MAX  20
#define HTTP_HEADER_ROOM  4096  // bytes of all headers of a request
#define HTTP_REPLY_HEAD   16384 // bytes of all header lines of an answer, also of 1xx ones
#define HTTP_REPLY_VALUES 4096  // bytes of those values that are looked at
#define UP_RETRY_SECONDS  5     // least Max-Age of 5.03 and 4.29 where nothing else is said

// A device's request, parsed. It points into the exchange.
struct map_request {
	const struct conf_route *route;
	const struct map_method *method;
	struct coap_body body;
	uint8_t code;
	int accept;         // a Content-Format or MAP_FORMAT_NONE
	int content_format; // the same
	bool if_none_match;
	bool etags; // has at least one ETag
};

// Parses options and payload of a request (as they stand behind the inner code), and refuses what
// can't be sent on: RFC 7252 sections 5.4.1, 5.7.1, 5.10.
enum http_error map_request_parse(struct map_request *msg, const struct conf_route *route,
	uint8_t code, const uint8_t *body, size_t len) __attribute__((warn_unused_result));

struct http_header {
	const char *line; // "Name: value", ends with 0
	uint16_t name_len;
	uint16_t len;
};

// An HTTP request without the server's part: the URL is server->origin, server->base, path ("/" if
// both are empty) and query. Valid as long as the message it was made from.
struct http_request {
	const char *method;
	bool idempotent;     // by its method (RFC 9110 section 9.2.2) or by its route
	bool has_body;       // the method has one, maybe empty
	const uint8_t *body; // in the exchange
	size_t body_len;
	const char *path;  // "" or "/..", percent-encoded
	const char *query; // "" or "?.."
	struct http_header header[HTTP_HEADERS_MAX];
	unsigned header_count;
	struct http_text text; // writes into room
	char room[HTTP_TARGET_MAX + HTTP_HEADER_ROOM];
};

// Makes the HTTP request, but for the identity headers.
enum http_error map_request_build(struct http_request *req, const struct map_request *msg,
	const struct map_etags *etags) __attribute__((warn_unused_result));

#define MAP_IDENTITY_RANDOM 24 // bytes

// Adds the headers that tell a backend who asks: Device-Id, Oscore-Context, Forwarded, traceparent
// and Idempotency-Key. name: of the device; random: MAP_IDENTITY_RANDOM fresh bytes.
enum http_error map_request_identify(struct http_request *req, const struct dp_request *device,
	const char *name, const uint8_t *random) __attribute__((warn_unused_result));

// The headers of an answer that are looked at.
enum http_reply_field {
	HTTP_FIELD_AGE,
	HTTP_FIELD_CACHE_CONTROL,
	HTTP_FIELD_CONTENT_ENCODING,
	HTTP_FIELD_CONTENT_LENGTH,
	HTTP_FIELD_CONTENT_TYPE,
	HTTP_FIELD_DATE,
	HTTP_FIELD_ETAG,
	HTTP_FIELD_EXPIRES,
	HTTP_FIELD_LOCATION,
	HTTP_FIELD_RETRY_AFTER,
	HTTP_FIELD_TRANSFER_ENCODING,
	HTTP_FIELD_UPLOAD_LIMIT,
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
// Takes one header line, without its line end. Refuses control characters, heads above
// HTTP_REPLY_HEAD, and framing that two readers could understand differently (RFC 9112
// section 6.3).
enum http_error http_reply_header(struct http_reply *reply, const char *line, size_t len)
	__attribute__((warn_unused_result));
// The same for a header that was split already, its value without blanks around it.
enum http_error http_reply_field(struct http_reply *reply, const char *name, size_t name_len,
	const char *value, size_t value_len) __attribute__((warn_unused_result));

// Drops the body of an answer, so that its status stands alone: the method was performed, and an
// error would have the device do it again. `head`: its headers too, which are not whole.
void http_reply_drop(struct http_reply *reply, bool head);

// How an answer is mapped.
struct map_response {
	const struct conf_server *server; // that gave it
	struct map_etags *etags;
	time_t now;
	uint32_t retry_s;     // Max-Age of a 5.03 or 4.29 without Retry-After
	uint32_t max_age_max; // seconds, whatever the backend says
	uint8_t *out;         // for the plaintext
	size_t room;          // bytes at out, at least 1
	// Set:
	uint16_t len;      // bytes used
	bool body_dropped; // the method was performed, but the body cannot be passed on
};

// Makes the CoAP plaintext of an answer. If the answer cannot be mapped, the plaintext is that of
// the error that is returned. A 2xx to a method other than GET and FETCH is always a success for
// the device: what cannot be passed on of it is left out.
enum http_error map_response_build(const struct http_reply *reply, const struct map_request *msg,
	struct map_response *mapping);

// Makes the CoAP plaintext of an error, with its diagnostic as far as it fits, and Max-Age max_age.
// Returns its length.
uint16_t map_error_write(enum http_error error, uint32_t max_age, uint8_t *out, size_t room);

#endif
