// SPDX-License-Identifier: BSD-3-Clause
// What the long operations on devices are asked for and report: an import, a check of the store.
// gw/store fills the reports in, gw/ctl sends them.

#ifndef POSTERN_GW_DEVICE_REPORTS_H
#define POSTERN_GW_DEVICE_REPORTS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define IMPORT_ERRORS_MAX  20 // bad rows that are named; all are counted
#define CHECK_PROBLEMS_MAX 20 // that are told in words; all are counted

enum import_format { IMPORT_AUTO, IMPORT_CSV, IMPORT_JSON };

struct import_options {
	enum import_format format; // IMPORT_AUTO: JSON if the first character is { or [
	bool never_used;           // for rows that do not say where their keys have been
	bool replace; // devices that are there with other keys are retired, with other settings
		      // changed
};

struct import_bad_row {
	uint64_t line; // of the input, from 1, where the row begins
	struct error error;
};

struct import_progress {
	uint64_t bytes, bytes_total; // of the input; total 0: unknown
	uint64_t rows;               // read
	uint64_t applied;            // written by import_write() so far
};

struct import_report {
	uint64_t rows, added, unchanged, replaced, changed, bad;
	unsigned named; // bad rows in bad_row[], the first by line
	struct import_bad_row bad_row[IMPORT_ERRORS_MAX];
};

// What a check of the store found.
struct check_report {
	uint64_t devices; // looked at
	uint64_t problems;
	unsigned told; // in problem[]
	struct error problem[CHECK_PROBLEMS_MAX];
};

#endif
