// SPDX-License-Identifier: BSD-3-Clause
// Bulk import of devices from CSV or JSON, all or nothing. docs/import.md has the formats.
//
// An import is a machine that is turned by hand, so that other work on the store goes on between
// two turns: import_open(), import_step() until the input is read and staged, import_write() until
// all rows are in the store, at once, import_next() for the devices that are now there.

#ifndef POSTERN_GW_STORE_IMPORT_H
#define POSTERN_GW_STORE_IMPORT_H

#include "gw/device/reports.h"
#include "gw/store/store.h"

struct import;

// Takes over fd, also on failure. The import is freed before the store is closed.
int import_open_fd(struct store *store, int fd, const struct import_options *options,
	struct import **import, struct store_error *error) __attribute__((warn_unused_result));
int import_open_path(struct store *store, const char *path, const struct import_options *options,
	struct import **import, struct store_error *error) __attribute__((warn_unused_result));

enum import_state {
	IMPORT_MORE, // call again
	IMPORT_WAIT, // call again when import_fd() is readable
	IMPORT_READ, // all is read: call import_write()
};

// Reads and stages a few hundred rows; a bad row is not a failure of the step.
// Negative errno if the input cannot be read or is no CSV or JSON at all, or there is no room.
int import_step(struct import *import, enum import_state *state, struct store_error *error)
	__attribute__((warn_unused_result));
int import_fd(const struct import *import);

// A turn of writing all rows, or none if one is bad: -EBADMSG, and the report names the rows. *done
// when they are in the store, durably; import_free() before that leaves it as it was. While rows
// are being written, devices are neither added nor removed (-EAGAIN), and another import waits.
int import_write(struct import *import, bool *done, struct store_error *error)
	__attribute__((warn_unused_result));

// Whether an import is being written.
bool store_importing(const struct store *store);

void import_progress(const struct import *import, struct import_progress *progress);
void import_report(const struct import *import, struct import_report *report);

// After import_write() was done: fills devices[] with the next ones that were added, that replace
// others or that have other settings, and were not removed or replaced since, at most room. *count
// 0: no more. The caller wipes devices[].
int import_next(struct import *import, struct device_keyed *devices, size_t room, size_t *count,
	struct store_error *error) __attribute__((warn_unused_result));

// Wipes and frees; NULL is allowed. What is not committed is forgotten.
void import_free(struct import *import);

#endif
