// SPDX-License-Identifier: BSD-3-Clause
// Runs a fuzz target without a fuzzer: every file of a folder as it is, cut at every byte, with
// every bit changed, and a fixed number of random mutations. Inputs end at a page that faults.
//
// usage: PROGRAM FOLDER

#include "tests/fuzz/fuzz.h"
#include "tests/unit/guard.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define INPUT_MAX 4096 // bytes of a file, and of a mutated input
#define MUTATIONS 2000 // of each file

static uint64_t state = 1;

static uint32_t random_below(uint32_t limit)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(state >> 33) % limit;
}

// In a libFuzzer build the library's own is linked instead of this file.
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max)
{
	size_t at = random_below((uint32_t)len + 1);

	switch (random_below(3)) {
	case 0:
		if (len == max)
			break;
		memmove(data + at + 1, data + at, len - at);
		data[at] = (uint8_t)random_below(256);
		return len + 1;
	case 1:
		if (at == len || len == 1)
			break;
		memmove(data + at, data + at + 1, len - at - 1);
		return len - 1;
	}
	if (at < len)
		data[at] = (uint8_t)random_below(256);
	return len;
}

static void run(struct guard *guard, const uint8_t *data, size_t len)
{
	LLVMFuzzerTestOneInput(memcpy(guard_take(guard, len), data, len), len);
}

static void run_file(struct guard *guard, const uint8_t *data, size_t len)
{
	uint8_t changed[INPUT_MAX];
	size_t n = len;

	for (size_t cut = 0; cut <= len; cut++)
		run(guard, data, cut);
	memcpy(changed, data, len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		changed[bit / 8] ^= 1 << bit % 8;
		run(guard, changed, len);
		changed[bit / 8] ^= 1 << bit % 8;
	}
	for (unsigned i = 0; i < MUTATIONS; i++) {
		if (i % 20 == 0) {
			memcpy(changed, data, len);
			n = len;
		}
		n = LLVMFuzzerCustomMutator ? LLVMFuzzerCustomMutator(changed, n, INPUT_MAX, i)
					    : LLVMFuzzerMutate(changed, n, INPUT_MAX);
		run(guard, changed, n);
	}
}

int main(int argc, char **argv)
{
	struct guard guard = guard_create(INPUT_MAX);
	uint8_t data[INPUT_MAX];
	struct dirent *entry;
	unsigned files = 0;
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;

	if (!folder) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(folder))) {
		char path[1024];
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
		file = fopen(path, "rb");
		if (!file) {
			perror(path);
			return 1;
		}
		run_file(&guard, data, fread(data, 1, sizeof(data), file));
		fclose(file);
		files++;
	}
	closedir(folder);
	guard_free(&guard);
	printf("%u files\n", files);
	return files ? 0 : 1;
}
