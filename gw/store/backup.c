// SPDX-License-Identifier: BSD-3-Clause
// Backups. A copy that could be opened without adoption would use nonces of the original again, so
// it is marked as a copy before it gets its name.

#include "gw/store/backup.h"

#include "gw/store/file.h"
#include "gw/store/hashes.h"
#include "gw/store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGES_A_TURN 256 // of 4 KB

struct store_backup {
	struct store *store;
	sqlite3 *db;
	sqlite3_backup *copy;
	char *path, *part; // the name, and the name until it is complete
	bool made;         // part is ours to remove
};

static int backup_fail(
	const struct store_backup *backup, int below, const char *what, struct error *error)
{
	int code;

	switch (below & 0xff) {
	case SQLITE_FULL:
		code = -ENOSPC;
		break;
	case SQLITE_NOMEM:
		code = -ENOMEM;
		break;
	default:
		code = -EIO;
		break;
	}
	return error_set(error, code, "%s: %s: %s", backup->path, what, sqlite3_errstr(below));
}

static int part_make(struct store_backup *backup, struct error *error)
{
	int code = 0;

	if (access(backup->path, F_OK) == 0)
		return error_set(error, -EEXIST, "%s is there already", backup->path);
	int fd = open(backup->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		code = -errno;
		return error_set(error, code, "cannot make %s: %s", backup->part, strerror(-code));
	}
	close(fd);
	backup->made = true;
	return 0;
}

static int backup_begin(struct store *store, struct store_backup *backup, struct error *error)
{
	int code = part_make(backup, error);
	if (code != 0)
		return code;
	int below = sqlite3_open_v2(backup->part, &backup->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	if (below == SQLITE_OK)
		below = sqlite3_exec(backup->db,
			"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY;"
			"PRAGMA synchronous = FULL",
			NULL, NULL, NULL);
	if (below != SQLITE_OK)
		return backup_fail(backup, below, "cannot be opened", error);
	backup->copy = sqlite3_backup_init(backup->db, "main", store->db, "main");
	store->backups += backup->copy != NULL;
	return backup->copy != NULL ? 0
				    : backup_fail(backup, sqlite3_extended_errcode(backup->db),
					      "cannot be begun", error);
}

int store_backup_open(
	struct store *store, const char *path, struct store_backup **backup, struct error *error)
{
	struct store_backup *new = calloc(1, sizeof(*new));

	*backup = NULL;
	if (new != NULL) {
		new->store = store;
		new->path = strdup(path);
	}
	if (new == NULL || new->path == NULL || asprintf(&new->part, "%s.part", path) < 0) {
		if (new != NULL)
			new->part = NULL;
		store_backup_free(new);
		return error_set(error, -ENOMEM, "no memory for a backup");
	}
	int code = store->broken ? error_set(error, -EIO, "the store failed to write before")
				 : backup_begin(store, new, error);
	if (code != 0) {
		store_backup_free(new);
		return code;
	}
	*backup = new;
	return 0;
}

static int backup_end(struct store_backup *backup, struct error *error)
{
	int below = sqlite3_backup_finish(backup->copy);

	backup->copy = NULL;
	backup->store->backups--;
	if (below == SQLITE_OK && store_functions(backup->store, backup->db) != 0)
		below = SQLITE_NOMEM;
	if (below == SQLITE_OK)
		below = sqlite3_exec(backup->db,
			"BEGIN; UPDATE meta SET copy = 1, window_token = NULL;"
			"UPDATE meta SET tag = " STORE_META_TAG "; DELETE FROM window; COMMIT",
			NULL, NULL, NULL);
	if (below == SQLITE_OK)
		below = sqlite3_close(backup->db);
	if (below != SQLITE_OK)
		return backup_fail(backup, below, "cannot be written", error);
	backup->db = NULL;
	int code = 0;
	if (renameat2(AT_FDCWD, backup->part, AT_FDCWD, backup->path, RENAME_NOREPLACE) != 0)
		code = -errno;
	backup->made = code != 0;
	if (code == 0)
		code = file_name_sync(backup->path);
	// What was reported as failed is not in the way of another try.
	if (code != 0 && !backup->made)
		unlink(backup->path);
	return code == 0 ? 0 : error_set(error, code, "%s: %s", backup->path, strerror(-code));
}

int store_backup_step(struct store_backup *backup, bool *done, struct error *error)
{
	*done = false;
	// What it shows may not be on its disk, and the copy holds up store_recover().
	if (backup->store->broken)
		return error_set(error, -EIO, "the store failed to write before");
	int below = sqlite3_backup_step(backup->copy, PAGES_A_TURN);

	if (below == SQLITE_OK)
		return 0;
	if (below != SQLITE_DONE)
		return backup_fail(backup, below, "cannot be written", error);
	*done = true;
	return backup_end(backup, error);
}

void store_backup_free(struct store_backup *backup)
{
	if (backup == NULL)
		return;
	if (backup->copy != NULL) {
		sqlite3_backup_finish(backup->copy);
		backup->store->backups--;
	}
	sqlite3_close(backup->db);
	if (backup->made)
		unlink(backup->part);
	free(backup->part);
	free(backup->path);
	free(backup);
}
