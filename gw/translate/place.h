// SPDX-License-Identifier: BSD-3-Clause
// The names of places in CBOR and JSON, for faults.

#ifndef POSTERN_GW_TRANSLATE_PLACE_H
#define POSTERN_GW_TRANSLATE_PLACE_H

#include "gw/translate/translate.h"

// Sets a fault whose place is a byte.
void tr_fault_at_byte(struct tr_fault *fault, const char *what, size_t byte);

// The same for a place that is put together: starts without one, and goes one index or key deeper.
// A key is escaped as in RFC 6901, and its control characters become '?'.
void tr_fault_start(struct tr_fault *fault, const char *what);
void tr_fault_index(struct tr_fault *fault, size_t index);
void tr_fault_key(struct tr_fault *fault, const char *key, size_t len);

#endif
