// SPDX-License-Identifier: BSD-3-Clause

#include "bench/pipeline_cached.h"

#include "bench/pipeline_bed.h"
#include "bench/pipeline_row.h"
#include "dataplane/shared/representation.h"

#include <string.h>

#define DEVICES 1000
#define SLOTS   64
#define PAYLOAD 32 // bytes

// Has the loop's table answer /cached for an hour, as a loop would.
static void publish(struct bed *bed)
{
	static const uint8_t options[] = {0xb6, 'c', 'a', 'c', 'h', 'e', 'd'};
	const struct dp_rep_asker asker = {.route = BED_CACHE_ID, .code = COAP_GET, .shared = true};
	struct dp_reps *reps = dp_reps(bed->dp);
	struct dp_rep_key key;
	struct coap_body body;

	if (coap_body_parse(&body, options, sizeof(options)) != COAP_OK ||
		!dp_rep_key_make(&key, &reps->keys, &asker, &body))
		bed_die("no key");
	struct dp_representation *rep = dp_rep_make(&key, PAYLOAD);

	if (!rep)
		bed_die("no memory");
	rep->epoch_index = dp_rep_epoch_index(dp_rep_path_hash(&reps->paths, &body));
	rep->stored_ms = bed->w->now_ms;
	rep->fresh_ms = bed->w->now_ms + 3600 * 1000;
	rep->code = COAP_CONTENT;
	rep->content_format = 60;
	rep->etag_len = 4;
	memset(rep->bytes + rep->key_len, 'x', PAYLOAD);
	dp_rep_publish(&reps->table[0],
		dp_rep_place(&reps->table[0], key.hash, key.bytes, key.len, NULL, NULL), rep);
}

void cached_measure(bool json, unsigned rounds)
{
	static const struct variant cached = {.name = "cached", .path = "cached"};
	struct bed bed;

	bed_make(&bed,
		&(struct bed_conf){
			.device_count = DEVICES, .exchanges = 1024, .representations = SLOTS});
	publish(&bed);
	row_measure(&bed, TRAFFIC_CACHED, &variants[VARIANT_ECHO], rounds, json);
	row_measure(&bed, TRAFFIC_CACHED, &cached, rounds, json);
	bed_free(&bed);
}
