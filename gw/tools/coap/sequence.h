// SPDX-License-Identifier: BSD-3-Clause
// Sender sequence numbers that are never used twice (RFC 8613 sections 7.2.1 and 7.5).
//
// The state file holds the first number that was not given out yet. It is raised and on the disk
// before a number is used, so that a crash at any point costs a number and never repeats one.

#ifndef POSTERN_GW_TOOLS_COAP_SEQUENCE_H
#define POSTERN_GW_TOOLS_COAP_SEQUENCE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

// The name of the state file that goes with a file of keys: that of the keys with .seq behind it,
// after all symbolic links on the way to them, so that by whatever link the same keys are reached,
// they have one sequence. *path is the caller's to free. -EMLINK if the file of keys has several
// names (hard links), of which each would have a state file of its own; -EEXIST if there is another
// state file beside the link that was named; or another -errno.
int sequence_path(const char *keys, char **path, struct error *f)
	__attribute__((warn_unused_result));

// Takes the next number. Several processes may do so at once; a lock file beside the state file
// puts them in order. *started: there was no state file, and it begins at 0.
// Returns 0, -EOVERFLOW if 2^40 numbers are used up, -EBADMSG if the file is not one of ours, or
// another -errno; after a failure no number may be used.
int sequence_take(const char *path, uint64_t *number, bool *started, struct error *f)
	__attribute__((warn_unused_result));

// Takes count numbers, from *first on, with the same promise for all of them. -EOVERFLOW if there
// are fewer left.
int sequence_take_range(const char *path, uint64_t count, uint64_t *first, bool *started,
	struct error *f) __attribute__((warn_unused_result));
// Gives back what was taken from first to end - 1 and never used, so that numbers stay short.
// Nothing happens if another process has taken more since.
int sequence_give_back(const char *path, uint64_t first, uint64_t end, struct error *f)
	__attribute__((warn_unused_result));

// Numbers taken in advance, for requests that follow each other fast: one at first, then twice as
// many each time. All zeros: none.
struct sequence_stock {
	uint64_t next, end;
	uint64_t taken; // at a time
};
#define SEQUENCE_STOCK_MAX 64
// Takes the next number from the stock, which is filled if it is empty, and filled anew if another
// process has taken numbers since: ours would be behind its, and out of a replay window.
int sequence_stock_take(const char *path, struct sequence_stock *stock, uint64_t *number,
	bool *started, struct error *f) __attribute__((warn_unused_result));
// Gives back what is left.
int sequence_stock_return(const char *path, struct sequence_stock *stock, struct error *f)
	__attribute__((warn_unused_result));

#endif
