// SPDX-License-Identifier: BSD-3-Clause
// What a server says about each record of a batch, in the body of its answer:
//   {"items": [{"status": 201}, ..]}                        by position; Elasticsearch has the
//   status
//                                                           one level deeper: {"create": {"status":
//                                                           ..}}
//   {"results": [{"id": "0f3a91c2d4e5b687-20", "status": 201}, ..]}     by id, in any order
// Other members are passed over.

#ifndef POSTERN_GW_BATCH_RESULTS_H
#define POSTERN_GW_BATCH_RESULTS_H

#include <stddef.h>
#include <stdint.h>

// An id is the hex fingerprint, a hyphen, and the sequence number.
struct batch_id {
	uint64_t fingerprint;
	uint64_t piv;
};

enum batch_results {
	BATCH_RESULTS_NONE,  // the body is JSON, but has neither member
	BATCH_RESULTS_READ,  // status is set
	BATCH_RESULTS_WRONG, // not JSON, or what it says cannot be matched with the records
};

#define BATCH_INDEX_ROOM(count) (4 * (size_t)(count)) // entries, at least, for `count` records

// Sets status[i], of `count` records, to the HTTP status of each, 0 where there is none or more
// than one that differ. id: of each record; index: BATCH_INDEX_ROOM(count) entries to work with.
enum batch_results batch_results_read(const uint8_t *body, size_t len, const struct batch_id *id,
	uint16_t *index, uint16_t *status, size_t count);

#endif
