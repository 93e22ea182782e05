// SPDX-License-Identifier: BSD-3-Clause
// What a person or a script gets to see of an exchange. Keys are never among it.

#ifndef POSTERN_GW_TOOLS_COAP_SHOW_H
#define POSTERN_GW_TOOLS_COAP_SHOW_H

#include "gw/edhoc/session.h"
#include "gw/tools/coap/secure.h"
#include "gw/tools/coap/transfer.h"

#include <stdio.h>

// A line "Uri-Path: "t"" behind a prefix.
void show_option(FILE *out, const char *prefix, const struct coap_option *option);
// A line "> CON 0.02 ..., 35 bytes", and the options below it. sign is '>' or '<'.
void show_message(FILE *out, char sign, const struct coap_msg *msg, size_t len);
// Code, options and size of payload of what is inside.
void show_content(FILE *out, char sign, uint8_t code, const struct coap_body *body);
void show_bytes(FILE *out, char sign, const uint8_t *data, size_t len);
void show_protection(FILE *out, const char *verb, const struct protection *protection);
// "2.05 Content", "0.02 POST".
#define CODE_TEXT_LEN 48
const char *code_text(char text[CODE_TEXT_LEN], uint8_t code);

// What --json prints of --edhoc.
struct show_handshake {
	unsigned count; // 0: the context was kept
	bool combined;
	const struct edhoc_done *done; // of the last one
};

// All that --json prints.
struct result {
	const char *error; // NULL: there is an answer
	const char *message;
	bool protected, has_answer;
	uint64_t request_piv;
	bool has_request_piv;
	const struct protection *request_protection;
	const uint8_t *request, *response; // the last datagrams, NULL if there is none
	size_t request_len, response_len;
	const struct answer *answer; // code and options
	const uint8_t *payload;      // all of it
	size_t payload_len;
	const struct transfer *transfer;
	unsigned transmissions, challenges, unverified;
	double milliseconds;
	const struct show_handshake *handshake; // NULL: without --edhoc
};

// Returns 0, or -ENOMEM.
int show_json(FILE *out, const struct result *result) __attribute__((warn_unused_result));

// What is printed of a notification beside the answer in it.
struct show_notification {
	unsigned number; // from 1 on, over all registrations
	unsigned registrations;
	unsigned stale; // came behind newer ones and were not printed
	double age_s;   // since the registration
	uint32_t max_age_s;
	bool has_observe, has_piv;
	uint32_t observe; // outside
	uint64_t piv;
};

// A line of JSON, or a line of words and the payload in lines of its own. Returns 0, or -EIO.
int show_notification(FILE *out, const struct show_notification *shown, const struct result *result,
	bool json, bool include) __attribute__((warn_unused_result));

#endif
