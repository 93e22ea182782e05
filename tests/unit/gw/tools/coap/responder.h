// SPDX-License-Identifier: BSD-3-Clause
// A tiny OSCORE server that a test plays step by step against the program postern-coap.

#ifndef POSTERN_TESTS_UNIT_GW_TOOLS_COAP_RESPONDER_H
#define POSTERN_TESTS_UNIT_GW_TOOLS_COAP_RESPONDER_H

#include "crypto/aead.h"
#include "dataplane/coap/block.h"
#include "dataplane/oscore/protect.h"

#include <stdbool.h>
#include <sys/types.h>

#define MESSAGE_MAX 4096

// Context of RFC 8613 C.1 unless the test says otherwise; the files are in a folder of the test.
void responder_start(void);
void responder_stop(void);
// Listens on ::1 from now on, instead of 127.0.0.1.
void responder_use_ipv6(void);
// Nothing listens from now on, and again at the same port.
void responder_leave(void);
void responder_return(void);

// Starts the program with these arguments (ended by NULL). "URI" in one of them becomes the
// responder's address, "CONTEXT" the context file. input may be NULL.
void client_start(const char *input, ...) __attribute__((sentinel));

struct outcome {
	int status; // exit status, or -1
	char out[65536], err[65536];
};
// Waits until its standard error has this.
void client_says(const char *text);
// Waits for the program's end.
const struct outcome *client_finish(void);

struct received {
	uint8_t data[MESSAGE_MAX];
	size_t len;
	struct coap_msg outer;
	double came_s; // when it was sent, by the system's clock: this process may look later
	struct osc_option option;
	uint8_t plaintext[MESSAGE_MAX];
	uint8_t code; // of the inner message
	struct coap_body inner;
};

// The next datagram, which must come within a minute, as it is.
void responder_receive_raw(struct received *r);
// The next request, opened.
void responder_receive(struct received *r);
// Opens one that was received raw, whose ciphertext is this.
void responder_open(struct received *r, const uint8_t *ciphertext, size_t len);
// The context from now on, as the server sees it.
void responder_use(const struct osc_params *params);
// Whether no datagram comes within ms.
bool responder_hears_nothing(int ms);

struct reply {
	enum coap_type type;
	uint16_t mid;
	uint8_t code;
	uint64_t own_piv;
	bool has_own_piv;
	bool tampered;
	bool plain;        // without OSCORE
	bool inner_oscore; // an OSCORE option inside
	const char *kid;   // in the option; NULL: none
	const char *payload;
	const uint8_t *echo;
	size_t echo_len;
	uint32_t max_age; // 0: no option
	bool observe;     // an Observe option inside, without value
	bool has_outer_observe;
	uint32_t outer_observe;
	int format;       // -1: no option
	const char *etag; // NULL: no option
	const struct coap_block *block1, *block2;
	uint32_t size1, size2; // 0: no option
	const uint8_t *token;
	size_t token_len;     // token NULL: the request's
	size_t payload_bytes; // of a payload that is no text
};
void responder_send(const struct received *request, const struct reply *reply);
void responder_send_raw(const void *bytes, size_t len);
// ACK with this code and payload.
void responder_answer(const struct received *request, uint8_t code, const char *payload);
void responder_send_empty(enum coap_type type, uint16_t mid);

const char *responder_folder(void);

#endif
