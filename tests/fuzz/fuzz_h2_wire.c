// SPDX-License-Identifier: BSD-3-Clause
// HTTP/2, by nghttp2: see wire.h.

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	wire_fuzz("h2c", http_engine_h2_create, data, len);
	return 0;
}
