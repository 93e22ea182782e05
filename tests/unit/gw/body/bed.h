// SPDX-License-Identifier: BSD-3-Clause
// A table of bodies, requests for it in few words, and answers taken apart.

#ifndef POSTERN_TESTS_UNIT_GW_BODY_BED_H
#define POSTERN_TESTS_UNIT_GW_BODY_BED_H

#include "gw/body/body.h"

#define NONE      (-1)
#define KEEP_MS   30000
#define IDLE_MS   100000
#define MAX_BODY  65536
#define ROOM      1100 // bytes of plaintext in a datagram
#define PAYLOAD   1024
#define BODY_MOST (1 << 20)

// A request. Zero means not there, but for what begins with `no`.
struct ask {
	uint32_t context, generation;
	uint64_t route;
	uint8_t code;
	const char *path, *query, *tag; // Request-Tag
	const char *etag, *echo;
	bool block1, block2, m1; // has Block1, has Block2, more of Block1
	uint32_t num1, num2;
	uint8_t szx1, szx2;
	uint32_t size1; // 0: no Size1
	int format;     // Content-Format + 1
	bool if_none_match, observe, no_response, hop_limit, accept;
	const uint8_t *payload;
	size_t len;
};

struct bed {
	struct body_table *table;
	uint64_t now_ms;
	struct body_limits limits;
	uint16_t room;
	// Of the last request.
	uint8_t encoded[4096];
	struct coap_body message;
	struct body_request request;
	struct body_reply reply;
	struct body *body;
	// Of the last answer.
	uint8_t out[2048];
	uint16_t out_len;
	struct coap_body answer;
	uint8_t code;
};

extern uint8_t bytes_of_body[BODY_MOST]; // no two blocks of it are equal

void bed_init(struct bed *bed, size_t memory, unsigned per_device);
void bed_fini(struct bed *bed);
// Reads a request; false: 4.00.
bool bed_read(struct bed *bed, const struct ask *ask);
// Reads a request, which must be readable, and decides about it.
enum body_action bed_ask(struct bed *bed, const struct ask *ask);
// The same for block `num` of `len` bytes of an upload. Returns the action; bed->reply is set.
enum body_action bed_block(struct bed *bed, struct ask ask, const uint8_t *bytes, size_t len,
	uint32_t num, uint8_t szx);
// Sends all blocks of an upload; the last one's action.
enum body_action bed_upload(
	struct bed *bed, struct ask ask, const uint8_t *bytes, size_t len, uint8_t szx);
// Answers a body that is asked for.
void bed_answered(
	struct bed *bed, struct body *body, uint8_t code, const uint8_t *bytes, size_t len);
// Keeps an answer to bed->request.
struct body *bed_keep(struct bed *bed, uint8_t code, const uint8_t *bytes, size_t len);
// Serves bed->request from a body, and parses the answer.
void bed_serve(struct bed *bed, struct body *body);
// The value of a uint option of the last answer; NONE: not there.
int64_t bed_uint(const struct bed *bed, uint16_t number);
// Its Block1 or Block2; aborts if it has none.
struct coap_block bed_block_of(const struct bed *bed, uint16_t number);

#endif
