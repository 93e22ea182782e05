// SPDX-License-Identifier: BSD-3-Clause
// Requests, told by the few compares of osc_request_usual() and by the parsers of messages and of
// options: both say the same.

#include "tests/fuzz/fuzz.h"
#include "tests/unit/dataplane/oscore/request_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	// A heap block of just this size, so that a sanitizer sees one byte too many.
	uint8_t *copy = malloc(len);
	bool taken;

	if (len)
		memcpy(copy, data, len);
	FUZZ_CHECK(!request_differs(copy, len, &taken));
	free(copy);
	return 0;
}
