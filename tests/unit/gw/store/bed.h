// SPDX-License-Identifier: BSD-3-Clause
// A store in directories of its own, for the tests of the store.

#ifndef POSTERN_TESTS_UNIT_GW_STORE_BED_H
#define POSTERN_TESTS_UNIT_GW_STORE_BED_H

#include "gw/store/commit.h"
#include "gw/store/database.h"
#include "gw/store/directory.h"
#include "gw/store/file.h"
#include "gw/store/hashes.h"
#include "gw/store/import.h"
#include "gw/store/row.h"
#include "gw/store/run.h"
#include "gw/store/run_mark.h"
#include "gw/store/run_token.h"
#include "gw/store/schema.h"
#include "gw/store/shadow.h"
#include "gw/store/spec.h"
#include "gw/store/spool.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

struct bed {
	char top[64];       // made by bed_make(), removed by bed_remove()
	char directory[96]; // of the store
	char runtime[96];
	char machine[96]; // stands for /etc/machine-id
	char boot[96];    // stands for the boot id
	char kek_path[96];
	struct kek *kek;
	struct store_config config;
	struct store *store;
	struct error error; // of the last call below
};

void bed_make(struct bed *bed);
// Opens the store, which must succeed; then starts it.
void bed_open(struct bed *bed);
void bed_open_unstarted(struct bed *bed);
void bed_close(struct bed *bed);
void bed_reopen(struct bed *bed);
void bed_remove(struct bed *bed);

// Writes a file as a whole.
void bed_write(const char *path, const void *data, size_t len);
// Copies the database of a closed store away, and back over it; with its marks, so that nothing
// tells that it is an older one.
void bed_save(const struct bed *bed);
void bed_restore(const struct bed *bed);
void bed_restore_database(const struct bed *bed);
// Runs SQL on the database of a closed store.
void bed_sql(const struct bed *bed, const char *sql);
// The same, as if the store had done it.
void bed_sql_sealed(struct bed *bed, const char *sql);

// SQL: the table of devices as it was before version 10, 9, 8, 7 and 6.
#define BED_NO_CREDENTIAL                            \
	"DROP INDEX device_kid;"                     \
	"ALTER TABLE device DROP COLUMN credential;" \
	"ALTER TABLE device DROP COLUMN credential_kid;"
#define BED_NO_REDERIVE                                \
	BED_NO_CREDENTIAL                              \
	"ALTER TABLE device DROP COLUMN rederive;"     \
	"ALTER TABLE device DROP COLUMN rederived;"    \
	"ALTER TABLE device DROP COLUMN rederived_at;" \
	"ALTER TABLE device DROP COLUMN secret_hash;"
#define BED_NO_POLICY BED_NO_REDERIVE "ALTER TABLE device DROP COLUMN policy;"
#define BED_NO_NOTE   BED_NO_POLICY "ALTER TABLE device DROP COLUMN note;"
#define BED_NO_LIMITS                                 \
	BED_NO_NOTE                                   \
	"ALTER TABLE device DROP COLUMN max_message;" \
	"ALTER TABLE device DROP COLUMN max_in_flight;"

// Makes a closed store one as version 4 of the schema had it, with the same numbers: its runs and
// bases are wide ones then (STORE_WIDE_RUN), and its marks have format 2.
void bed_make_version_4(const struct bed *bed);

// A device never used before; its secret is derived from `seed`, the ids are given in hex.
struct device_spec bed_spec(unsigned seed, const char *device_id, const char *gateway_id);
// The same of a device that cannot answer an Echo challenge.
struct device_spec bed_floor_spec(unsigned seed, const char *device_id, const char *gateway_id);
// store_add() into bed->error.
int bed_add(struct bed *bed, const struct device_spec *spec);
int bed_replace(struct bed *bed, const struct device_spec *spec);
int bed_remove_device(struct bed *bed, const char *name);
// run_base of a device that must be there.
uint32_t bed_run_base(struct bed *bed, const char *name);
// store_bases_raise() of one device: what it returned, or the result of that device.
int bed_raise_base(struct bed *bed, uint64_t id, uint64_t run_base);
// import_write() to its end.
int bed_import_write(struct bed *bed, struct import *import);
// Imports BED_ROWS devices that were never used. Returns its result; *count is how many devices are
// in the store then.
#define BED_ROWS 40
int bed_import_rows(struct bed *bed, uint64_t *count);
// Loads all devices; the one with this name is copied to *device. Returns how many there are.
uint64_t bed_load(struct bed *bed, const char *name, struct device_keyed *device);
// The device with this name, which must be there.
struct device_keyed bed_device(struct bed *bed, const char *name);

#endif
