// SPDX-License-Identifier: BSD-3-Clause

#include "bench/load/piv.h"

#include "gw/tools/coap/sequence.h"

#include <stdlib.h>

// A block is used up no faster than this many requests are sent, which takes seconds.
#define BLOCK_REQUESTS (UINT64_C(1) << 24)
#define BLOCK_MIN      64

int piv_supply_open(struct piv_supply *supply, const char *keys_path, size_t devices, bool *started,
	struct error *f)
{
	uint64_t first;
	bool again;

	*supply = (struct piv_supply){.block = BLOCK_REQUESTS / devices};
	if (supply->block < BLOCK_MIN)
		supply->block = BLOCK_MIN;
	int err = sequence_path(keys_path, &supply->path, f);
	if (err)
		return err;
	err = sequence_take_range(supply->path, supply->block, &first, started, f);
	if (err)
		return err;
	supply->now = (struct piv_range){first, first + supply->block};
	err = sequence_take_range(supply->path, supply->block, &first, &again, f);
	if (err)
		return err;
	supply->ahead = (struct piv_range){first, first + supply->block};
	supply->ready = true;
	return 0;
}

int piv_supply_fill(struct piv_supply *supply, struct error *f)
{
	uint64_t first;
	bool started;

	if (atomic_load_explicit(&supply->ready, memory_order_acquire))
		return 0;
	int err = sequence_take_range(supply->path, supply->block, &first, &started, f);
	if (err)
		return err;
	supply->ahead = (struct piv_range){first, first + supply->block};
	atomic_store_explicit(&supply->ready, true, memory_order_release);
	return 0;
}

int piv_supply_close(struct piv_supply *supply, struct error *f)
{
	int err = 0;

	if (supply->path && supply->now.end) {
		// The later block first: only what no other process has taken since can go back.
		if (supply->ready)
			err = sequence_give_back(
				supply->path, supply->ahead.next, supply->ahead.end, f);
		if (!err)
			err = sequence_give_back(
				supply->path, supply->now.next, supply->now.end, f);
	}
	free(supply->path);
	supply->path = NULL;
	return err;
}
