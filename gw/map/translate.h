// SPDX-License-Identifier: BSD-3-Clause
// What a route with `translate: cbor-json` changes: Content-Formats, payloads and ETags. CBOR (60),
// SenML CBOR (112) and SenSML CBOR (113) of devices are JSON (50, 110, 111) for backends, and JSON
// of backends is CBOR for devices that ask for it, or that sent CBOR and ask for nothing.

#ifndef POSTERN_GW_MAP_TRANSLATE_H
#define POSTERN_GW_MAP_TRANSLATE_H

#include "gw/http/message.h"
#include "gw/map/etag.h"
#include "gw/map/request.h"
#include "gw/translate/translate.h"

#define MAP_CBOR_ANY      (-3)       // of map_request.cbor: whichever JSON it is
#define MAP_JSON_KEEP_MAX 65536      // bytes of an answer's JSON that are read at most
#define MAP_JSON_ROOM     UINT16_MAX // bytes of a request's JSON at most

// What map_request.cbor is, from route, Accept and Content-Format.
int map_cbor_wanted(const struct map_request *msg);

// Turns the payload of a parsed request into JSON if its route and its format say so: payload and
// content_format of msg are those that the backend gets then, the payload in room (len bytes,
// MAP_JSON_ROOM are enough). What is called afterwards, map_request_build() or a batch, sees JSON
// only. Returns HTTP_ERR_bad_cbor with the fault in msg, or HTTP_ERR_too_large.
enum http_error map_request_translate(struct map_request *msg, uint8_t *room, size_t len)
	__attribute__((warn_unused_result));

// The Content-Format to ask the backend for; of a request with Accept.
int map_accept_of_backend(const struct map_request *msg);

// How many bytes of an answer's body are wanted, of at most max_body: what is translated has an
// own bound.
uint32_t map_reply_keep(const struct map_request *msg, uint64_t max_body);

// The CBOR format that an answer of this format becomes, or MAP_FORMAT_NONE if it stays as it is.
int map_cbor_of_answer(const struct map_request *msg, int format);
// The CBOR format that the ETag of an answer belongs to, or MAP_FORMAT_NONE: that of the body, or,
// for the methods that change a resource, that in which the device has it.
int map_cbor_of_etag(const struct map_request *msg, const struct http_reply *reply);
// Makes CBOR of an answer's body in room (room_len bytes). *len is its length. Returns
// HTTP_ERR_bad_json with the fault, HTTP_ERR_no_room or HTTP_ERR_no_memory.
enum http_error map_answer_translate(const struct http_reply *reply, int cbor_format, uint8_t *room,
	size_t room_len, size_t *len, struct tr_fault *fault) __attribute__((warn_unused_result));

// Whether an ETag of the device names a representation that this request may be answered with.
bool map_etag_names_answer(const struct map_request *msg, const struct map_etags *etags,
	const uint8_t *bytes, size_t len);
#endif
