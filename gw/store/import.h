// SPDX-License-Identifier: BSD-3-Clause
// Bulk import of devices from CSV or JSON, all or nothing. docs/import.md has the formats.
//
// An import is done in turns by the thread that has the store, so that other work on the store goes
// on between two of them. The caller opens an import, calls import_step() until the input is read
// and spooled, import_write() until all rows are in the store, where they appear at once, and
// import_next() until it has got all devices for the data plane.

#ifndef POSTERN_GW_STORE_IMPORT_H
#define POSTERN_GW_STORE_IMPORT_H

#include "gw/device/reports.h"
#include "gw/store/store.h"

struct import;

// Begin an import. fd is the import's from then on, also on failure. Free the import before the
// store is closed.
int import_open_fd(struct store *store, int fd, const struct import_options *options,
	struct import **import, struct error *error) __attribute__((warn_unused_result));
int import_open_path(struct store *store, const char *path, const struct import_options *options,
	struct import **import, struct error *error) __attribute__((warn_unused_result));

enum import_state {
	IMPORT_MORE, // call again
	IMPORT_WAIT, // call again when import_fd() is readable
	IMPORT_READ, // all is read: call import_write()
};

// Reads, checks, seals and spools a few hundred rows. A bad row goes to the report and does not
// make the step fail. Returns -errno if the input cannot be read or is neither CSV nor JSON, or if
// the disk is full.
int import_step(struct import *import, enum import_state *state, struct error *error)
	__attribute__((warn_unused_result));
// The descriptor to wait for after IMPORT_WAIT.
int import_fd(const struct import *import);

// Does a turn of writing. *done is set when all rows are in the store and on the disk; before that,
// import_free() leaves the store as it was. If a row is bad none is written: -EBADMSG, and the
// report names the bad rows. While rows are being written, no device can be added or removed
// (-EAGAIN), and another import waits.
int import_write(struct import *import, bool *done, struct error *error)
	__attribute__((warn_unused_result));

// After import_write() failed: whether the rows may be in the store all the same. Once the store is
// recovered, import_next() hands out those that are; their windows are unknown, and some may have
// been handed out by whoever wrote them since.
bool import_in_doubt(const struct import *import);

// Whether an import is being written to a copy of the database.
bool store_importing(const struct store *store);

void import_progress(const struct import *import, struct import_progress *progress);
void import_report(const struct import *import, struct import_report *report);

// After import_write() set *done, or if it is in doubt: fills devices[] with the next devices that
// were added, that replace others or that have new settings, at most `room`. Those that were
// removed or replaced since are left out. *count is 0 after the last. The caller wipes devices[].
// After a failure the next call begins with the first device again.
int import_next(struct import *import, struct device_keyed *devices, size_t room, size_t *count,
	struct error *error) __attribute__((warn_unused_result));

// Wipes and frees; NULL is allowed. What is not in the store yet does not get there.
void import_free(struct import *import);

#endif
