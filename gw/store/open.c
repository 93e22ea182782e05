// SPDX-License-Identifier: BSD-3-Clause
// Opens a store, and makes it if there is none. It refuses a database of another application, of a
// newer version, that is damaged, or that is a copy.

#include "gw/store/adopt.h"
#include "gw/store/claim.h"
#include "gw/store/commit.h"
#include "gw/store/database.h"
#include "gw/store/directory.h"
#include "gw/store/file.h"
#include "gw/store/hashes.h"
#include "gw/store/meta.h"
#include "gw/store/run_mark.h"
#include "gw/store/schema.h"
#include "gw/store/secrets.h"
#include "gw/store/shadow.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"
#include "gw/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Of an import that was interrupted.
static int shadow_forget(struct store *store, struct error *error)
{
	struct stat st;
	int code = 0;

	if (fstatat(store->directory_fd, STORE_SHADOW, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		unlinkat(store->directory_fd, STORE_SHADOW, 0) != 0)
		code = -errno;
	return code == 0
		? 0
		: error_set(error, code, "cannot remove " STORE_SHADOW ": %s", strerror(-code));
}

static int boot_id_read(struct store *store, const struct store_config *config, struct error *error)
{
	const char *path =
		config->boot_file ? config->boot_file : "/proc/sys/kernel/random/boot_id";
	char text[STORE_BOOT_ID_LEN + 2];

	ssize_t len = file_read(AT_FDCWD, path, text, sizeof(text));
	if (len < STORE_BOOT_ID_LEN)
		return error_set(
			error, len < 0 ? len : -EINVAL, "cannot read the boot id in %s", path);
	memcpy(store->boot_id, text, STORE_BOOT_ID_LEN);
	return 0;
}

// A new store takes up the run of a mark in the runtime directory: who deleted a store and imports
// its devices again gets no run twice before a reboot.
static int database_create(
	struct store *store, const struct store_config *config, struct error *error)
{
	struct run_mark mark;

	if (run_mark_read(store->directory_fd, &mark) != -ENOENT)
		return error_set(error, -ESTALE,
			"%s has a " STORE_MARK " but no devices: put " STORE_DB
			" back, or remove " STORE_MARK " if its keys are never used again",
			config->directory);
	int code = run_mark_read(store->runtime_fd, &mark);
	if (code != 0 && code != -ENOENT)
		return error_set(error, code, "%s/" STORE_MARK " cannot be read: %s",
			config->runtime, strerror(-code));

	store->commits = mark.commits;
	code = store_begin(store, error);
	if (code != 0)
		return code;
	code = schema_create(store, error);
	if (code == 0)
		code = meta_create(store, config, mark.run, error);
	if (code == 0)
		code = store_functions(store, store->db);
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	// The mark beside it also makes the name of the database durable.
	code = store_commit_run(store, mark.run, error);
	return code != 0 || !store->broken ? code : run_marks_write(store, error);
}

// *version is 0 if the database is empty.
static int version_check(struct store *store, int64_t *version, struct error *error)
{
	int64_t app, tables;

	if (sql_number(store, "PRAGMA application_id", &app) != 0 ||
		sql_number(store, "PRAGMA user_version", version) != 0 ||
		sql_number(store, "SELECT count(*) FROM sqlite_schema", &tables) != 0)
		return store_sql_fail(store, error);
	if (tables == 0 && app == 0 && *version == 0)
		return 0;
	if (app != STORE_APP_ID)
		return error_set(error, -EBADMSG, STORE_DB " is not a store of postern");
	if (*version > STORE_VERSION)
		return error_set(error, -ENOTSUP,
			"the store has version %lld, made by a newer postern; this one knows %d",
			(long long)*version, STORE_VERSION);
	return *version > 0 ? 0
			    : error_set(error, -EBADMSG, "the store has no version that ever was");
}

// For a store that is not refused: makes it one of this version, and of this machine if it is
// adopted. Both in one transaction, so that an adoption that is interrupted leaves a store that is
// refused as before.
static int take_up(struct store *store, const struct store_config *config, int64_t version,
	bool adopting, struct error *error)
{
	uint32_t run = store->run_next;
	int code = 0;

	if (version == STORE_VERSION && !adopting)
		return run_marks_write(store, error);
	if (adopting)
		code = adopt_run(store, version, &run, error);
	if (code == 0)
		code = store_begin(store, error);
	if (code != 0)
		return code;
	code = schema_upgrade(store, version, error);
	if (code == 0 && adopting)
		code = adopt_write(store, config, run, error);
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	code = store_commit_run(store, run, error);
	return code != 0 || !store->broken ? code : run_marks_write(store, error);
}

static int store_open_as(
	const struct store_config *config, bool adopting, struct store *store, struct error *error)
{
	struct meta meta = {0};
	int64_t version = 0;

	int code = directories_open(store, config, error);
	if (code == 0)
		code = shadow_forget(store, error);
	if (code == 0)
		code = boot_id_read(store, config, error);
	if (code == 0)
		code = database_open(store, error);
	if (code == 0)
		code = version_check(store, &version, error);
	if (code == 0 && version == 0) {
		code = adopting ? error_set(error, -ENOENT, "there is no store to adopt")
				: database_create(store, config, error);
		version = STORE_VERSION;
	}
	if (code == 0)
		code = meta_read(store, config, version, &meta, error);
	if (code == 0)
		code = store_claim(store, error);
	if (code == 0 && !adopting)
		code = copy_check(store, &meta, error);
	if (code == 0)
		code = take_up(store, config, version, adopting, error);
	return code != 0 ? code : counters_read(store, error);
}

static struct store *store_new(const struct store_config *config, struct error *error)
{
	struct store *store = sodium_init() < 0 ? NULL : calloc(1, sizeof(*store));

	if (store != NULL) {
		store->directory_fd = store->lock_fd = store->runtime_fd = store->claim_fd = -1;
		store->max_devices = config->max_devices;
		store->reserved = config->reserved;
		store->direct_rows = STORE_DIRECT_ROWS;
		store->directory = strdup(config->directory);
		store->runtime = strdup(config->runtime);
		store->secrets = sodium_malloc(sizeof(*store->secrets));
	}
	if (store == NULL || store->directory == NULL || store->runtime == NULL ||
		store->secrets == NULL) {
		store_close(store);
		error_set(error, -ENOMEM, "no memory");
		return NULL;
	}
	return store;
}

int store_open(const struct store_config *config, struct store **store, struct error *error)
{
	*store = NULL;
	struct store *opened = store_new(config, error);
	if (opened == NULL)
		return -ENOMEM;
	int code = store_open_as(config, false, opened, error);
	if (code != 0) {
		store_close(opened);
		return code;
	}
	opened->opened = true;
	*store = opened;
	return 0;
}

int store_adopt(const struct store_config *config, uint32_t *run, struct error *error)
{
	struct store *store = store_new(config, error);
	if (store == NULL)
		return -ENOMEM;
	int code = store_open_as(config, true, store, error);
	if (code == 0 && run != NULL)
		*run = store->run_next;
	store_close(store);
	return code;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	for (size_t i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(store->statement[i]);
	sqlite3_close(store->db);
	sodium_free(store->secrets);
	free(store->directory);
	free(store->runtime);
	if (store->claim_fd >= 0)
		close(store->claim_fd);
	if (store->runtime_fd >= 0)
		close(store->runtime_fd);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	if (store->directory_fd >= 0)
		close(store->directory_fd);
	sodium_memzero(store, sizeof(*store));
	free(store);
}
