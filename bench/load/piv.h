// SPDX-License-Identifier: BSD-3-Clause
// Partial IVs for a fleet that shares one state file: in round k every device sends its next
// request under number first + k, so that one number stands for all of them.
//
// Numbers are taken from the file in blocks, durably before the first of a block is used
// (gw/tools/coap/sequence.h), and the rest is given back at the end of a run: a crash costs numbers
// and never repeats one. One block is always ahead, so that the sender never waits for the disk.

#ifndef POSTERN_BENCH_LOAD_PIV_H
#define POSTERN_BENCH_LOAD_PIV_H

#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct piv_range {
	uint64_t next, end;
};

struct piv_supply {
	char *path; // of the state file
	uint64_t block;
	struct piv_range now;   // the sender's
	struct piv_range ahead; // the filler's while !ready, else the sender's
	atomic_bool ready;
};

// Takes the first two blocks for so many devices. *started: there was no state file.
int piv_supply_open(struct piv_supply *supply, const char *keys_path, size_t devices, bool *started,
	struct error *f) __attribute__((warn_unused_result));
// The filler, another thread than the sender's or the same: takes another block if one is needed.
int piv_supply_fill(struct piv_supply *supply, struct error *f) __attribute__((warn_unused_result));
// Gives back what was not used; after the sender stopped.
int piv_supply_close(struct piv_supply *supply, struct error *f)
	__attribute__((warn_unused_result));

// The sender: the number of the next round; false if there is none yet.
static inline bool piv_take(struct piv_supply *supply, uint64_t *piv)
{
	if (supply->now.next == supply->now.end) {
		if (!atomic_load_explicit(&supply->ready, memory_order_acquire))
			return false;
		supply->now = supply->ahead;
		atomic_store_explicit(&supply->ready, false, memory_order_release);
	}
	*piv = supply->now.next++;
	return true;
}

#endif
