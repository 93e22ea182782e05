// SPDX-License-Identifier: BSD-3-Clause
// What libFuzzer and the replay program expect of a fuzz target.

#ifndef POSTERN_TESTS_FUZZ_FUZZ_H
#define POSTERN_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
// Optional: changes data in place to at most max bytes and returns their number.
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
	__attribute__((weak));
// Given to targets: a random change.
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max);

// Ends the run unless a rule holds, in every kind of build.
#define FUZZ_CHECK(rule)         \
	do {                     \
		if (!(rule))     \
			abort(); \
	} while (0)

#endif
