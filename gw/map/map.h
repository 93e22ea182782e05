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

#define UP_TARGET_MAX    8192 // bytes of path and query; more is answered 4.00
#define UP_HEADERS_MAX   20
#define UP_HEADER_ROOM   4096  // bytes of all headers of a request
#define UP_REPLY_HEAD    16384 // bytes of all header lines of an answer, also of 1xx ones
#define UP_REPLY_VALUES  4096  // bytes of those values that are looked at
#define UP_RETRY_SECONDS 5     // least Max-Age of 5.03 and 4.29 where nothing else is said

// A device's request, parsed. It points into the exchange.
struct up_message {
	const struct conf_route *route;
	const struct up_method *method;
	struct coap_body body;
	uint8_t code;
	int accept;         // a Content-Format or UP_FORMAT_NONE
	int content_format; // the same
	bool if_none_match;
	bool etags; // has at least one ETag
};

// Parses options and payload of a request (as they stand behind the inner code), and refuses what
// can't be sent on: RFC 7252 sections 5.4.1, 5.7.1, 5.10.
enum up_error up_message_parse(struct up_message *msg, const struct conf_route *route, uint8_t code,
	const uint8_t *body, size_t len) __attribute__((warn_unused_result));

struct up_header {
	const char *line; // "Name: value", ends with 0
	uint16_t name_len;
	uint16_t len;
};

// An HTTP request without the server's part: the URL is server->origin, server->base, path ("/" if
// both are empty) and query. Valid as long as the message it was made from.
struct up_request {
	const char *method;
	bool idempotent;     // by its method (RFC 9110 section 9.2.2) or by its route
	bool has_body;       // the method has one, maybe empty
	const uint8_t *body; // in the exchange
	size_t body_len;
	const char *path;  // "" or "/..", percent-encoded
	const char *query; // "" or "?.."
	struct up_header header[UP_HEADERS_MAX];
	unsigned header_count;
	struct up_text text; // writes into room
	char room[UP_TARGET_MAX + UP_HEADER_ROOM];
};

// Makes the HTTP request, but for the identity headers.
enum up_error up_request_build(struct up_request *req, const struct up_message *msg,
	const struct up_etags *etags) __attribute__((warn_unused_result));

#define UP_IDENTITY_RANDOM 24 // bytes

// Adds the headers that tell a backend who asks: Device-Id, Oscore-Context, Forwarded, traceparent
// and Idempotency-Key. name: of the device; random: UP_IDENTITY_RANDOM fresh bytes.
enum up_error up_request_identify(struct up_request *req, const struct dp_request *device,
	const char *name, const uint8_t *random) __attribute__((warn_unused_result));

// The headers of an answer that are looked at.
enum up_reply_field {
	UP_FIELD_AGE,
	UP_FIELD_CACHE_CONTROL,
	UP_FIELD_CONTENT_ENCODING,
	UP_FIELD_CONTENT_LENGTH,
	UP_FIELD_CONTENT_TYPE,
	UP_FIELD_DATE,
	UP_FIELD_ETAG,
	UP_FIELD_EXPIRES,
	UP_FIELD_LOCATION,
	UP_FIELD_RETRY_AFTER,
	UP_FIELD_TRANSFER_ENCODING,
	UP_FIELD_UPLOAD_LIMIT,
	UP_FIELD_COUNT,
};

// An HTTP answer.
struct up_reply {
	int status;
	const char *field[UP_FIELD_COUNT]; // NULL if not there
	const uint8_t *body;
	size_t body_len; // bytes at body
	bool body_cut;   // there were more
	size_t head_len; // bytes of header lines so far
	struct up_text text;
	char room[UP_REPLY_VALUES];
};

void up_reply_init(struct up_reply *reply);
// A status line came: forgets the headers of an earlier, 1xx answer.
void up_reply_status(struct up_reply *reply, int status);
// Takes one header line, without its line end. Refuses control characters, heads above
// UP_REPLY_HEAD, and framing that two readers could understand differently (RFC 9112 section 6.3).
enum up_error up_reply_header(struct up_reply *reply, const char *line, size_t len)
	__attribute__((warn_unused_result));
// The same for a header that was split already, its value without blanks around it.
enum up_error up_reply_field(struct up_reply *reply, const char *name, size_t name_len,
	const char *value, size_t value_len) __attribute__((warn_unused_result));

// Drops the body of an answer, so that its status stands alone: the method was performed, and an
// error would have the device do it again. `head`: its headers too, which are not whole.
void up_reply_drop(struct up_reply *reply, bool head);

// How an answer is mapped.
struct up_mapping {
	const struct conf_server *server; // that gave it
	struct up_etags *etags;
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
enum up_error up_reply_map(
	const struct up_reply *reply, const struct up_message *msg, struct up_mapping *mapping);

// Makes the CoAP plaintext of an error, with its diagnostic as far as it fits, and Max-Age max_age.
// Returns its length.
uint16_t up_error_write(enum up_error error, uint32_t max_age, uint8_t *out, size_t room);

#endif
