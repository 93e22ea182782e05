// SPDX-License-Identifier: BSD-3-Clause
// HTTP/1.1: see wire.h.

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	wire_fuzz("http", http_engine_h1_create, data, len);
	return 0;
}
