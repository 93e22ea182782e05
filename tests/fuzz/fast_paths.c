// SPDX-License-Identifier: BSD-3-Clause
// The differential test of fast and slow paths by hand, as long as one likes.
//
// usage: fast_paths PACKETS [SEED]
//
// Its first line names the counters at which no packet came by.

#include "tests/fuzz/twins.h"

#include <stdio.h>
#include <stdlib.h>

#define PACKETS 1024          // of a seed
#define LIFE    (1024 * 1024) // packets of a pair of data planes

int main(int argc, char **argv)
{
	static struct twins twins;
	static uint64_t count[DP_STAT_COUNT];
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	uint64_t packets = argc > 1 ? strtoull(argv[1], NULL, 0) : 0, done = 0;

	if (argc < 2 || argc > 3 || !packets) {
		fputs("usage: fast_paths PACKETS [SEED]\n", stderr);
		return 2;
	}
	for (unsigned kind = 0; done < packets; kind++) {
		twins_make(&twins, kind);
		while (twins.packets < LIFE && done + twins.packets < packets)
			twins_traffic(&twins, seed++, PACKETS);
		done += twins.packets;
		for (unsigned s = 0; s < DP_STAT_COUNT; s++)
			count[s] += dp_stat_read(&twins.w[0]->stats, s);
		twins_free(&twins);
	}
	fputs("not reached:", stdout);
	for (unsigned s = 0; s < DP_STAT_COUNT; s++)
		if (!count[s])
			printf(" %s", dp_stat_infos[s].name);
	printf("\n%lu packets, no difference\n", done);
	return 0;
}
