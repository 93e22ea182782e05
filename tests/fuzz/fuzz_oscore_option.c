// SPDX-License-Identifier: BSD-3-Clause
// Values of the OSCORE option: what parses is written again as the same bytes, and what does not is
// malformed inside.

#include "dataplane/oscore/option.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct osc_option option;

	if (osc_option_parse(&option, data, len) != OSC_OPTION_OK) {
		FUZZ_CHECK(osc_option_bad_at(data, len) <= len);
		return 0;
	}
	FUZZ_CHECK(option.piv <= OSC_PIV_MAX && option.piv_len <= OSC_PIV_LEN_MAX);
	uint8_t *copy = malloc(len + 1);
	FUZZ_CHECK(osc_option_encode(&option, copy, len) == (int)len);
	FUZZ_CHECK(!len || !memcmp(copy, data, len));
	free(copy);
	return 0;
}
