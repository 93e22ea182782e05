// SPDX-License-Identifier: BSD-3-Clause
// What a server says about the records of a batch: whatever its answer is made of, it is read in
// bounds, a status is one of HTTP or none, and what is no JSON says nothing.
//
// The input is a byte of the number of records, and the answer's body.

#include "gw/batch/json.h"
#include "gw/batch/results.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <string.h>

#define COUNT_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct batch_id id[COUNT_MAX];
	uint16_t index[BATCH_INDEX_ROOM(COUNT_MAX)], status[COUNT_MAX];

	if (!len)
		return 0;
	size_t count = (size_t)data[0] + 1;
	for (size_t i = 0; i < count; i++)
		id[i] = (struct batch_id){i % 7, i};
	enum batch_results rc = batch_results_read(data + 1, len - 1, id, index, status, count);
	for (size_t i = 0; i < count; i++)
		FUZZ_CHECK(!status[i] || (status[i] >= 100 && status[i] <= 599));
	if (rc != BATCH_RESULTS_READ) {
		for (size_t i = 0; i < count; i++)
			FUZZ_CHECK(!status[i]);
		return 0;
	}
	// What the strict reader reads, others read, too.
	struct json strict;
	json_init(&strict, data + 1, len - 1, 32);
	if (!json_skip(&strict, json_next(&strict)))
		return 0;
	json_t *json = json_loadb((const char *)data + 1, len - 1, 0, NULL);
	FUZZ_CHECK(json_is_object(json));
	FUZZ_CHECK(json_is_array(json_object_get(json, "items")) ||
		json_is_array(json_object_get(json, "results")));
	json_decref(json);
	return 0;
}
