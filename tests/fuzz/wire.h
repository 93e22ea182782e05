// SPDX-License-Identifier: BSD-3-Clause
// Bytes on the wire, through an HTTP engine and its connections to the CoAP answer: every request
// ends, and what is called an answer is one.

#ifndef POSTERN_TESTS_FUZZ_WIRE_H
#define POSTERN_TESTS_FUZZ_WIRE_H

#include "gw/http/engine.h"

#define WIRE_ANSWERS   4    // that one input has, at most
#define WIRE_SEPARATOR 0x1e // twice, between them

typedef int (*wire_create)(const struct http_engine_config *config, struct http_engine **engine);

// Asks for one answer after the other, on the same connection if it lives on. When nothing happens
// any more the server hangs up. scheme: "http" or "h2c".
void wire_fuzz(const char *scheme, wire_create create, const uint8_t *data, size_t len);

#endif
