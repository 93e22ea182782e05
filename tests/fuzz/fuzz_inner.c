// SPDX-License-Identifier: BSD-3-Clause
// Inner messages, behind a byte that says what stands outside: the pass over the usual shape says
// what the slow way says, takes all of this shape, and reads only so far behind the end.

#include "tests/fuzz/fuzz.h"
#include "tests/unit/dataplane/worker/inner_both.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t proxied[] = {0x31, 'h', 0x60, 0x71, 0x02};
	static struct dp_inner_rules rules;
	struct coap_body outer = {.option_count = 1, .oscore_count = 1};
	struct inner_both both;

	if (len < 2 || len > UINT16_MAX)
		return 0;
	if (!rules.routes) {
		rules.routes = inner_routes_create();
		rules.permit = inner_permits_create();
	}
	if (data[0] & 1)
		FUZZ_CHECK(coap_body_parse(&outer, proxied, sizeof(proxied)) == COAP_OK);
	uint8_t *copy = calloc(1, len - 1 + DP_INNER_OVER);

	memcpy(copy, data + 1, len - 1);
	inner_both_read(&both, &rules, &outer, copy, (uint16_t)(len - 1));
	FUZZ_CHECK(inner_both_agree(&both));
	free(copy);
	return 0;
}
