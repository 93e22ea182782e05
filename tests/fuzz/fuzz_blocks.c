// SPDX-License-Identifier: BSD-3-Clause
// Messages of EDHOC in blocks: whatever comes, in whatever order, a message that is whole is made
// of the blocks of its sender, in order, from one that begins it to one that ends it; and places
// stay as few as they should be. What is kept to be fetched is what its endpoint got last.
//
// Input: records of six bytes: sender and tag; number; SZX, whether more follow, and how often the
// same comes; what its bytes are; their length; and how much time goes by.

#include "gw/handshake/blocks.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define RECORD  6
#define SENDERS 8
#define TAGS    4
#define STEP_MS 500

// What a sender has sent of a message, as this program sees it.
struct seen {
	bool begun;
	size_t len; // that came in order since the last first block
	uint8_t bytes[BLOCKS_BYTES];
};

static struct seen seen[SENDERS][TAGS];

static void bytes_make(uint8_t *bytes, size_t len, size_t at, uint8_t kind)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(kind + (at + i) / 16);
}

// Follows what was taken.
static void follow(struct seen *of, const struct coap_block *block, const uint8_t *bytes,
	size_t len, const struct blocks_taken *taken)
{
	const size_t at = (size_t)coap_block_offset(block);

	if (taken->verdict != BLOCKS_NEXT && taken->verdict != BLOCKS_WHOLE)
		return;
	FUZZ_CHECK(len && len <= coap_block_size(block->szx));
	FUZZ_CHECK(!block->more || len == coap_block_size(block->szx));
	FUZZ_CHECK(block->more == (taken->verdict == BLOCKS_NEXT));
	FUZZ_CHECK(at + len <= BLOCKS_BYTES);
	if (!block->num && (!of->begun || len > of->len || memcmp(of->bytes, bytes, len)))
		of->len = 0;
	of->begun = true;
	// Nothing is taken that leaves a gap, and nothing that changes what is there.
	FUZZ_CHECK(at <= of->len);
	if (at < of->len && at + len <= of->len && !memcmp(of->bytes + at, bytes, len))
		return;
	memcpy(of->bytes + at, bytes, len);
	of->len = at + len;
}

static void check_whole(const struct seen *of, const struct blocks_taken *taken)
{
	if (taken->verdict != BLOCKS_WHOLE)
		return;
	FUZZ_CHECK(taken->whole.len && taken->whole.len <= of->len);
	FUZZ_CHECK(!memcmp(taken->whole.data, of->bytes, taken->whole.len));
}

// Keeps an answer for one of the senders, in places of its own.
static void keep(struct blocks *given, const uint8_t record[RECORD], uint64_t now_ms)
{
	static uint8_t bytes[BLOCKS_BYTES];
	const size_t len = 1 + record[4] * (sizeof(bytes) - 1) / 255;
	struct blocks_key key = {
		.endpoint = {record[0] % SENDERS}, .tag = {record[1]}, .network = record[0] % 2};

	bytes_make(bytes, len, 0, record[3]);
	FUZZ_CHECK(blocks_keep(given, &key, (struct edhoc_bytes){bytes, len}, now_ms));
	const struct edhoc_bytes all[] = {
		blocks_kept(given, &key), blocks_newest(given, key.endpoint)};

	for (unsigned i = 0; i < 2; i++)
		FUZZ_CHECK(all[i].len == len && !memcmp(all[i].data, bytes, len));
	key.endpoint[1] = 1;
	FUZZ_CHECK(!blocks_kept(given, &key).len && !blocks_newest(given, key.endpoint).len);
	FUZZ_CHECK(blocks_count(given) <= SENDERS * BLOCKS_OWN);
	FUZZ_CHECK(!blocks_turn(given, now_ms));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct blocks *blocks = blocks_create(), *given = blocks_create();
	uint64_t now_ms = 1000000;

	FUZZ_CHECK(blocks && given);
	memset(seen, 0, sizeof(seen));
	for (; len >= RECORD; data += RECORD, len -= RECORD) {
		const unsigned sender = data[0] % SENDERS, tag = data[0] / SENDERS % TAGS;
		const struct coap_block block = {
			.num = data[1], .szx = data[2] % 7, .more = data[2] / 8 % 2};
		const size_t size = coap_block_size(block.szx);
		const size_t n = data[4] & 1 ? size : data[4] * size / 200;
		struct blocks_key key = {.endpoint = {(uint8_t)sender},
			.tag = {(uint8_t)tag},
			.network = sender / 2};
		uint8_t *bytes = malloc(n ? n : 1);

		FUZZ_CHECK(bytes);
		bytes_make(bytes, n, (size_t)coap_block_offset(&block), data[3] & 1);
		const struct blocks_taken taken = blocks_take(blocks, &key, &block,
			(struct edhoc_bytes){bytes, n}, data[3] & 0x80 ? data[3] * 40U : 0, now_ms);

		follow(&seen[sender][tag], &block, bytes, n, &taken);
		check_whole(&seen[sender][tag], &taken);
		free(bytes);
		keep(given, data, now_ms);
		now_ms += data[5] * (uint64_t)STEP_MS;
		if (data[2] & 0x80)
			blocks_turn(blocks, now_ms);
		FUZZ_CHECK(blocks_count(blocks) <= SENDERS * BLOCKS_OWN);
	}
	now_ms += BLOCKS_WAIT_MS;
	FUZZ_CHECK(blocks_turn(blocks, now_ms) <= BLOCKS_PLACES);
	FUZZ_CHECK(!blocks_count(blocks));
	blocks_free(blocks);
	blocks_free(given);
	return 0;
}
