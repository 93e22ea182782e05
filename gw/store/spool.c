// SPDX-License-Identifier: BSD-3-Clause
// Rows that wait until an import is read to its end. They are sealed, and stand in a file beside
// the database, so that a disk without room for them is found before the database is changed.

#include "gw/store/spool.h"

#include "gw/store/file.h"
#include "gw/store/state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPOOL_NAME   "import.tmp"
#define SPOOL_BUFFER (256 * 1024) // bytes

struct spool {
	FILE *file;
};

// The parts of a row of fixed size; those of variable size follow.
struct spool_head {
	uint64_t id, replaces, line, mark, device_seq;
	int64_t created;
	uint32_t run_base;
	enum device_recovery recovery;
	enum device_own_piv own_piv;
	enum device_rederive rederive;
	uint16_t settings_len; // bytes up to the last that is not 0
	uint16_t credential_len;
	uint8_t kid_len, alg, name_len, device_id_len, gateway_id_len, id_context_len, keys_len,
		secret_len;
	bool named, never_used, has_id_context, recovery_said, own_piv_said, has_device_seq, resync;
	bool changed, rederive_said;
	uint8_t sender_hash[STORE_HASH_LEN], recipient_hash[STORE_HASH_LEN];
	uint8_t secret_hash[STORE_HASH_LEN];
	uint8_t digest[DEVICE_DIGEST_LEN];
};

struct spool *spool_open(const struct store *store)
{
	struct spool *spool = calloc(1, sizeof(*spool));

	if (spool == NULL)
		return NULL;
	// The store's lock is held, so a file of this name is a leftover.
	unlinkat(store->directory_fd, SPOOL_NAME, 0);
	int fd = openat(store->directory_fd, SPOOL_NAME,
		O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		unlinkat(store->directory_fd, SPOOL_NAME, 0);
		spool->file = fdopen(fd, "w+");
	}
	if (spool->file == NULL) {
		int code = errno;
		if (fd >= 0)
			close(fd);
		free(spool);
		errno = code;
		return NULL;
	}
	setvbuf(spool->file, NULL, _IOFBF, SPOOL_BUFFER);
	return spool;
}

void spool_free(struct spool *spool)
{
	if (spool == NULL)
		return;
	int fd = dup(fileno(spool->file));

	fclose(spool->file);
	if (fd >= 0)
		file_close_later(fd);
	free(spool);
}

static bool put(struct spool *spool, const void *data, size_t len)
{
	return len == 0 || fwrite_unlocked(data, len, 1, spool->file) == 1;
}

static bool get(struct spool *spool, void *data, size_t len)
{
	return len == 0 || fread_unlocked(data, len, 1, spool->file) == 1;
}

static size_t settings_len(const struct device_settings *settings)
{
	const char *bytes = (const char *)settings;
	size_t len = sizeof(*settings);

	while (len > 0 && bytes[len - 1] == 0)
		len--;
	return len;
}

// Whether what is indexed and copied by these numbers has room. An ID Context of any length has.
static bool head_fits(const struct spool_head *head)
{
	return head->alg < AEAD_ALG_COUNT && head->name_len <= DEVICE_NAME_MAX &&
		head->device_id_len <= OSC_KID_LEN_MAX && head->gateway_id_len <= OSC_KID_LEN_MAX &&
		head->keys_len <= SEAL_KEYS_MAX && head->secret_len <= SEAL_SECRET_MAX &&
		head->credential_len <= DEVICE_CREDENTIAL_MAX && head->kid_len <= DEVICE_KID_MAX &&
		head->settings_len <= sizeof(struct device_settings);
}

int spool_write(struct spool *spool, const struct store_row *row)
{
	struct spool_head head = {
		.id = row->id,
		.replaces = row->replaces,
		.line = row->line,
		.created = row->created,
		.run_base = row->run_base,
		.alg = row->alg,
		.name_len = strlen(row->name),
		.device_id_len = row->device_id_len,
		.gateway_id_len = row->gateway_id_len,
		.id_context_len = row->id_context_len,
		.keys_len = row->keys_len,
		.secret_len = row->secret_len,
		.named = row->named,
		.never_used = row->never_used,
		.has_id_context = row->has_id_context,
		.recovery = row->recovery,
		.own_piv = row->own_piv,
		.rederive = row->rederive,
		.settings_len = settings_len(&row->settings),
		.credential_len = row->credential_len,
		.kid_len = row->kid_len,
		.mark = row->mark,
		.resync = row->resync,
		.changed = row->changed,
		.recovery_said = row->recovery_said,
		.own_piv_said = row->own_piv_said,
		.rederive_said = row->rederive_said,
		.has_device_seq = row->has_device_seq,
		.device_seq = row->device_seq,
	};
	memcpy(head.sender_hash, row->sender_hash, STORE_HASH_LEN);
	memcpy(head.recipient_hash, row->recipient_hash, STORE_HASH_LEN);
	memcpy(head.secret_hash, row->secret_hash, STORE_HASH_LEN);
	memcpy(head.digest, row->digest, DEVICE_DIGEST_LEN);

	assert(head_fits(&head));
	bool good = put(spool, &head, sizeof(head)) && put(spool, row->name, head.name_len) &&
		put(spool, row->device_id, head.device_id_len) &&
		put(spool, row->gateway_id, head.gateway_id_len) &&
		put(spool, row->id_context, head.id_context_len) &&
		put(spool, row->keys, head.keys_len) && put(spool, row->secret, head.secret_len) &&
		put(spool, &row->settings, head.settings_len) &&
		put(spool, row->kid, head.kid_len) &&
		put(spool, row->credential, head.credential_len);
	return good ? 0 : errno != 0 ? -errno : -EIO;
}

int spool_rewind(struct spool *spool)
{
	if (fflush(spool->file) != 0 || fseeko(spool->file, 0, SEEK_SET) != 0)
		return -errno;
	return 0;
}

int spool_read(struct spool *spool, struct store_row *row)
{
	struct spool_head head;

	if (!get(spool, &head, sizeof(head)))
		return feof(spool->file) ? 0 : -EIO;
	// As on any disk, what is read need not be what was written.
	if (!head_fits(&head))
		return -EIO;
	memset(row, 0, sizeof(*row));
	row->id = head.id;
	row->replaces = head.replaces;
	row->line = head.line;
	row->created = head.created;
	row->run_base = head.run_base;
	row->alg = head.alg;
	row->device_id_len = head.device_id_len;
	row->gateway_id_len = head.gateway_id_len;
	row->id_context_len = head.id_context_len;
	row->keys_len = head.keys_len;
	row->secret_len = head.secret_len;
	row->named = head.named;
	row->never_used = head.never_used;
	row->has_id_context = head.has_id_context;
	row->recovery = head.recovery;
	row->own_piv = head.own_piv;
	row->rederive = head.rederive;
	row->mark = head.mark;
	row->resync = head.resync;
	row->changed = head.changed;
	row->recovery_said = head.recovery_said;
	row->own_piv_said = head.own_piv_said;
	row->rederive_said = head.rederive_said;
	row->has_device_seq = head.has_device_seq;
	row->device_seq = head.device_seq;
	memcpy(row->sender_hash, head.sender_hash, STORE_HASH_LEN);
	memcpy(row->recipient_hash, head.recipient_hash, STORE_HASH_LEN);
	memcpy(row->secret_hash, head.secret_hash, STORE_HASH_LEN);
	memcpy(row->digest, head.digest, DEVICE_DIGEST_LEN);
	row->credential_len = head.credential_len;
	row->kid_len = head.kid_len;

	bool good = get(spool, row->name, head.name_len) &&
		get(spool, row->device_id, head.device_id_len) &&
		get(spool, row->gateway_id, head.gateway_id_len) &&
		get(spool, row->id_context, head.id_context_len) &&
		get(spool, row->keys, head.keys_len) && get(spool, row->secret, head.secret_len) &&
		get(spool, &row->settings, head.settings_len) &&
		get(spool, row->kid, head.kid_len) &&
		get(spool, row->credential, head.credential_len);
	return good ? 1 : -EIO;
}
