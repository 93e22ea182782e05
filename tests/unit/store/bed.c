// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/store/bed.h"

#include "tests/unit/osc_params_hex.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void bed_write(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert(fd >= 0, "%s", path);
	cr_assert_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
}

void bed_make(struct bed *bed)
{
	memset(bed, 0, sizeof(*bed));
	// In memory, where syncs cost nothing, if that is there.
	strcpy(bed->top, "/dev/shm/postern-store-XXXXXX");
	if (mkdtemp(bed->top) == NULL) {
		strcpy(bed->top, "/tmp/postern-store-XXXXXX");
		cr_assert_not_null(mkdtemp(bed->top));
	}
	snprintf(bed->directory, sizeof(bed->directory), "%s/store", bed->top);
	snprintf(bed->runtime, sizeof(bed->runtime), "%s/run", bed->top);
	snprintf(bed->machine, sizeof(bed->machine), "%s/machine-id", bed->top);
	snprintf(bed->boot, sizeof(bed->boot), "%s/boot-id", bed->top);
	snprintf(bed->kek_path, sizeof(bed->kek_path), "%s/kek", bed->top);
	bed_write(bed->machine, "0123456789abcdef0123456789abcdef\n", 33);
	bed_write(bed->boot, "01234567-89ab-cdef-0123-456789abcdef\n", 37);
	cr_assert_eq(kek_create(bed->kek_path, &bed->error), 0, "%s", bed->error.text);
	cr_assert_eq(kek_load(bed->kek_path, &bed->kek, &bed->error), 0, "%s", bed->error.text);
	bed->config = (struct store_config){
		.directory = bed->directory,
		.runtime = bed->runtime,
		.kek = bed->kek,
		.machine_file = bed->machine,
		.boot_file = bed->boot,
	};
}

void bed_open_unstarted(struct bed *bed)
{
	cr_assert_eq(store_open(&bed->config, &bed->store, &bed->error), 0, "%s", bed->error.text);
}

void bed_open(struct bed *bed)
{
	bed_open_unstarted(bed);
	cr_assert_eq(store_start(bed->store, &bed->error), 0, "%s", bed->error.text);
}

void bed_close(struct bed *bed)
{
	store_close(bed->store);
	bed->store = NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void bed_remove(struct bed *bed)
{
	bed_close(bed);
	kek_free(bed->kek);
	nftw(bed->top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void copy_file(const char *from, const char *to)
{
	static char data[1 << 20];

	int fd = open(from, O_RDONLY);
	cr_assert(fd >= 0, "%s", from);
	ssize_t len = read(fd, data, sizeof(data));
	cr_assert(len >= 0 && (size_t)len < sizeof(data));
	close(fd);
	bed_write(to, data, len);
}

static void copy(const char *from_directory, const char *from_name, const char *to_directory,
	const char *to_name)
{
	char from[128], to[128];

	snprintf(from, sizeof(from), "%s/%s", from_directory, from_name);
	snprintf(to, sizeof(to), "%s/%s", to_directory, to_name);
	copy_file(from, to);
}

void bed_save(const struct bed *bed)
{
	copy(bed->directory, STORE_DB, bed->top, "saved.db");
	copy(bed->directory, STORE_MARK, bed->top, "saved.mark");
}

void bed_restore(const struct bed *bed)
{
	bed_restore_database(bed);
	copy(bed->top, "saved.mark", bed->directory, STORE_MARK);
	copy(bed->top, "saved.mark", bed->runtime, STORE_MARK);
}

void bed_restore_database(const struct bed *bed)
{
	copy(bed->top, "saved.db", bed->directory, STORE_DB);
}

void bed_sql(const struct bed *bed, const char *sql)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/" STORE_DB, bed->directory);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

void bed_sql_sealed(struct bed *bed, const char *sql)
{
	cr_assert_eq(store_open(&bed->config, &bed->store, &bed->error), 0, "%s", bed->error.text);
	cr_assert_eq(store_begin(bed->store, &bed->error), 0);
	cr_assert_eq(sqlite3_exec(bed->store->db, sql, NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(store_commit(bed->store, &bed->error), 0);
	bed_close(bed);
}

struct store_spec bed_spec(unsigned seed, const char *device_id, const char *gateway_id)
{
	char secret[33];

	snprintf(secret, sizeof(secret), "%032x", seed + 1);
	return (struct store_spec){
		.params = osc_params_hex(secret, "", NULL, gateway_id, device_id),
		.never_used = true,
	};
}

static int add(struct bed *bed, const struct store_spec *spec, bool replace)
{
	struct store_device device;
	enum store_outcome outcome;

	int code = store_add(bed->store, spec, replace, &device, &outcome, &bed->error);
	return code != 0 ? code : (int)outcome;
}

int bed_add(struct bed *bed, const struct store_spec *spec)
{
	return add(bed, spec, false);
}

int bed_replace(struct bed *bed, const struct store_spec *spec)
{
	return add(bed, spec, true);
}

int bed_remove_device(struct bed *bed, const char *name)
{
	return store_remove(bed->store, name, NULL, &bed->error);
}

uint32_t bed_run_base(struct bed *bed, const char *name)
{
	struct store_info info;

	cr_assert_eq(store_show(bed->store, name, &info, &bed->error), 0, "%s", bed->error.text);
	cr_assert(!info.damaged);
	return info.run_base;
}

struct search {
	const char *name;
	struct store_device *device;
};

static int look(void *arg, const struct store_device *device)
{
	struct search *search = arg;

	if (search->name && strcmp(search->name, device->name) == 0)
		*search->device = *device;
	return 0;
}

uint64_t bed_load(struct bed *bed, const char *name, struct store_device *device)
{
	struct search search = {name, device};
	struct store_load_result result;

	cr_assert_eq(store_load(bed->store, look, &search, &result, &bed->error), 0, "%s",
		bed->error.text);
	cr_assert_eq(result.unreadable, 0);
	return result.loaded;
}
