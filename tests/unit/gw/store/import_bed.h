// SPDX-License-Identifier: BSD-3-Clause
// One import at a time, for the tests of imports: its text comes from a file, or through a pipe.

#ifndef POSTERN_TESTS_UNIT_GW_STORE_IMPORT_BED_H
#define POSTERN_TESTS_UNIT_GW_STORE_IMPORT_BED_H

#include "tests/unit/gw/store/bed.h"

#define SECRET        "000102030405060708090a0b0c0d0e0f"
#define HEADER        "device_id,gateway_id,master_secret,never_used\n"
#define LIMITS_HEADER "device_id,gateway_id,master_secret,never_used,max_message,max_in_flight\n"
#define MORE_HEADER   "device_id,gateway_id,master_secret,algorithm,name,gateway_seq\n"

extern struct bed bed;
extern struct import *import;       // the last one
extern struct import_report report; // of the last one
extern size_t
	import_piece; // the text comes through a pipe in pieces of so many bytes; 0: as a file

// For a suite.
void import_set_up(void);
void import_tear_down(void);

// Read a text and write its devices: the result, with the text of an error in bed.error.
int import_run(const char *text);
int import_run_replacing(const char *text);
int import_run_bytes(const char *text, size_t len, const struct import_options *options);

// Reads a text that is a file, without writing its devices.
int import_read_file(const char *text, size_t len, const struct import_options *options);

// All is imported, and adds `count` devices.
void import_expect_added(const char *text, uint64_t count);
// One bad row, on that line, with a text that says so; the good row beside it is not imported.
void import_expect_bad(const char *text, uint64_t line, const char *why);
// The input is refused as a whole.
void import_expect_broken(const char *text, const char *why);

#endif
