// SPDX-License-Identifier: BSD-3-Clause
// Options of a plaintext, and all that is asked about each of them.

#include "dataplane/coap/message.h"
#include "dataplane/oscore/protect.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct coap_option_iter iter;
	struct coap_option option, first;
	struct coap_body body;
	uint32_t value, last = 0;

	if (coap_body_parse(&body, data, len) != COAP_OK)
		return 0;
	coap_option_iter_init(&iter, &body);
	while (coap_option_next(&iter, &option)) {
		FUZZ_CHECK(option.number >= last);
		last = option.number;
		FUZZ_CHECK(option.value >= data && option.value + option.len <= data + len);
		FUZZ_CHECK(coap_option_find(&body, option.number, &first));
		FUZZ_CHECK(first.value <= option.value);
		if (coap_option_len_ok(option.number, option.len))
			FUZZ_CHECK(coap_option_known(option.number));
		FUZZ_CHECK(coap_option_uint(&option, &value) == (option.len <= 4));
		FUZZ_CHECK(osc_option_class(option.number));
	}
	return 0;
}
