// SPDX-License-Identifier: BSD-3-Clause
// Fast paths against slow ones: bursts that follow from the input go through two data planes, of
// which one takes fast paths, and everything that leaves them is compared.

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/twins.h"

#define PACKETS 256  // of an input
#define LIFE    4096 // inputs of a pair of data planes

int __lsan_is_turned_off(void);

// What a worker allocates hangs on memory of EAL, where the leak detector does not look. That no
// mbuf leaks, each turn checks.
int __lsan_is_turned_off(void)
{
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct twins twins;
	static unsigned inputs;
	uint64_t seed = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		seed = (seed ^ data[i]) * UINT64_C(0x100000001b3);
	if (inputs % LIFE == 0) {
		if (inputs)
			twins_free(&twins);
		twins_make(&twins, inputs / LIFE);
	}
	inputs++;
	twins_traffic(&twins, seed, PACKETS);
	return 0;
}
