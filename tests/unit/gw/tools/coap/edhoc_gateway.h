// SPDX-License-Identifier: BSD-3-Clause
// A Responder of EDHOC that a test plays step by step against postern-coap --edhoc. Whatever is not
// as it should be fails the test.

#ifndef POSTERN_TESTS_UNIT_GW_TOOLS_COAP_EDHOC_GATEWAY_H
#define POSTERN_TESTS_UNIT_GW_TOOLS_COAP_EDHOC_GATEWAY_H

#include "tests/unit/gw/edhoc/bed.h"
#include "tests/unit/gw/tools/coap/responder.h"

// The arguments of the program.
#define EDHOC "--edhoc", "CONTEXT", "--edhoc-gateway", "FOLDER/gw.json"

extern struct edhoc_engine engine;
extern struct bed_end device, gateway;
extern struct received request, again;
extern struct edhoc_session session; // after message_2
extern struct edhoc_done done;       // after message_3
extern struct bed_bytes message_2;

// Before and after each test, with those of responder.h.
void edhoc_start(void);
void edhoc_stop(void);

// Makes keys and credentials of both ends, and the files that tell the program of them; `more` is
// what else is in the device's, as JSON.
void ends_make(unsigned method, unsigned suite, enum bed_kind kind, const char *more);
// The same with method 3, suite 2 and kids.
void ends_usual(const char *more);
// The files by themselves.
void gateway_write(const struct bed_end *end);
void device_write(const char *more);
void remove_file(const char *name);

// Answers with these bytes as a message of EDHOC.
void edhoc_answer(const struct received *q, uint8_t code, const uint8_t *bytes, size_t len);
// Receives what is sent to the resource for EDHOC; returns it without its prefix.
struct edhoc_bytes edhoc_receive(struct received *q, enum edhoc_prefix prefix);
// Makes message_2 of a message_1, with these suites of the gateway.
void message_2_make(struct edhoc_bytes bytes, unsigned suites);
// Both, and the answer.
void message_1_answer(void);
// Takes message_3, and the context that it makes.
void message_3_take(struct edhoc_bytes bytes);
// Receives the next request, with message_3, and opens it; returns message_3.
struct edhoc_bytes combined_receive(struct received *q);
// A whole run of the program with a handshake.
void run_combined(void);

// The program ends with this payload of the answer.
void expect_content(const char *payload);
// It ends since the handshake fails, says so with these words, and sends nothing more.
void expect_failure(const char *words);

#endif
