// SPDX-License-Identifier: BSD-3-Clause
// The file of the key-encryption key: a header line, then a line with the key and a checksum of it
// in hex; while the key is rotated, one more for the new one.

#include "gw/store/kek.h"

#include "base/secret_file.h"
#include "gw/store/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEK_HEADER       "postern key-encryption key 1\n"
#define KEK_HEADER_LEN   (sizeof(KEK_HEADER) - 1)
#define KEK_CHECKSUM_LEN 16 // bytes, the least that generichash makes
#define KEK_COUNT_MAX    2  // while a key is rotated
// Hex of the key, space, hex of the checksum, newline.
#define KEK_LINE_LEN    (2 * KEK_LEN + 1 + 2 * KEK_CHECKSUM_LEN + 1)
#define KEK_FILE_LEN(n) (KEK_HEADER_LEN + (n)*KEK_LINE_LEN)

struct kek {
	uint8_t key[KEK_COUNT_MAX][KEK_LEN]; // the newest last
	unsigned count;
};

// Work space that holds keys.
struct kek_file {
	char text[KEK_FILE_LEN(KEK_COUNT_MAX) + 1];
	struct kek kek;
};

static void checksum(char hex[2 * KEK_CHECKSUM_LEN + 1], const uint8_t key[KEK_LEN])
{
	uint8_t sum[KEK_CHECKSUM_LEN];

	crypto_generichash(sum, sizeof(sum), key, KEK_LEN, NULL, 0);
	sodium_bin2hex(hex, 2 * sizeof(sum) + 1, sum, sizeof(sum));
}

static int sync_directory_of(const char *path)
{
	char *directory = strdup(path);
	if (directory == NULL)
		return -ENOMEM;
	int fd = open(dirname(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(directory);
	if (fd < 0)
		return -errno;
	int code = fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	return code;
}

static int write_file(int fd, const char *text, size_t len)
{
	ssize_t n = write(fd, text, len);

	if (n != (ssize_t)len)
		return n < 0 ? -errno : -ENOSPC;
	return fsync(fd) == 0 ? 0 : -errno;
}

// Writes the text of the file. Returns its length.
static size_t print(struct kek_file *file)
{
	char *to = mempcpy(file->text, KEK_HEADER, KEK_HEADER_LEN);

	for (unsigned i = 0; i < file->kek.count; i++) {
		to = sodium_bin2hex(to, 2 * KEK_LEN + 1, file->kek.key[i], KEK_LEN) + 2 * KEK_LEN;
		*to++ = ' ';
		checksum(to, file->kek.key[i]);
		to += 2 * KEK_CHECKSUM_LEN;
		*to++ = '\n';
	}
	return to - file->text;
}

static struct kek_file *kek_file_new(struct error *error)
{
	struct kek_file *file = sodium_init() < 0 ? NULL : sodium_malloc(sizeof(*file));

	if (file == NULL)
		error_set(error, -ENOMEM, "no memory for a key");
	else
		file->kek.count = 0;
	return file;
}

// Makes a file of mode 0600 that must not be there, and of this owner unless that is who asks.
static int create(const char *path, struct kek_file *file, const struct stat *owner)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int code = write_file(fd, file->text, print(file));
	if (code == 0 && owner != NULL && owner->st_uid != geteuid() &&
		fchown(fd, owner->st_uid, owner->st_gid) != 0)
		code = -errno;
	if (close(fd) != 0 && code == 0)
		code = -errno;
	if (code != 0)
		unlink(path);
	return code;
}

int kek_create(const char *path, struct error *error)
{
	struct kek_file *file = kek_file_new(error);
	if (file == NULL)
		return -ENOMEM;
	randombytes_buf(file->kek.key[file->kek.count++], KEK_LEN);
	int code = create(path, file, NULL);
	sodium_free(file);
	if (code == -EEXIST)
		return error_set(error, code, "%s is there already: not overwritten", path);
	if (code == 0) {
		code = sync_directory_of(path);
		if (code != 0)
			unlink(path);
	}
	return code == 0 ? 0 : error_set(error, code, "%s: %s", path, strerror(-code));
}

static int open_private(const char *path, struct error *error)
{
	struct stat st;
	int fd = secret_file_open(path, "key-encryption key", error);

	if (fd < 0)
		return fd;
	int code = fstat(fd, &st) != 0 ? -errno : 0;
	if (code != 0)
		error_set(error, code, "key-encryption key %s: %s", path, strerror(-code));
	else if (st.st_size != KEK_FILE_LEN(1) && st.st_size != KEK_FILE_LEN(2))
		code = error_set(error, -EBADMSG,
			"key-encryption key %s: %lld bytes instead of %zu", path,
			(long long)st.st_size, KEK_FILE_LEN(1));
	if (code != 0) {
		close(fd);
		return code;
	}
	return fd;
}

static bool parse_line(const char *hex, uint8_t key[KEK_LEN])
{
	char sum[2 * KEK_CHECKSUM_LEN + 1];
	size_t len;

	if (sodium_hex2bin(key, KEK_LEN, hex, 2 * KEK_LEN, NULL, &len, NULL) != 0 || len != KEK_LEN)
		return false;
	checksum(sum, key);
	hex += 2 * KEK_LEN;
	return hex[0] == ' ' && memcmp(hex + 1, sum, 2 * KEK_CHECKSUM_LEN) == 0 &&
		hex[1 + 2 * KEK_CHECKSUM_LEN] == '\n';
}

static int parse(struct kek_file *file, size_t len)
{
	if ((len != KEK_FILE_LEN(1) && len != KEK_FILE_LEN(2)) ||
		memcmp(file->text, KEK_HEADER, KEK_HEADER_LEN) != 0)
		return -EBADMSG;
	file->kek.count = 0;
	for (const char *line = file->text + KEK_HEADER_LEN; line < file->text + len;
		line += KEK_LINE_LEN)
		if (!parse_line(line, file->kek.key[file->kek.count++]))
			return -EBADMSG;
	return 0;
}

static int read_keys(int fd, struct kek_file *file)
{
	ssize_t len = pread(fd, file->text, sizeof(file->text), 0);

	return len < 0 ? -errno : parse(file, len);
}

static int complain(struct error *error, const char *path, int code)
{
	return error_set(error, code, "key-encryption key %s: %s", path,
		code == -EBADMSG ? "damaged, or no such key" : strerror(-code));
}

static int load(const char *path, struct kek_file *file, struct error *error)
{
	int fd = open_private(path, error);
	if (fd < 0)
		return fd;
	int code = read_keys(fd, file);
	close(fd);
	return code == 0 ? 0 : complain(error, path, code);
}

static int take(struct kek_file *file, struct kek **kek, struct error *error)
{
	*kek = sodium_malloc(sizeof(**kek));
	if (*kek == NULL)
		return error_set(error, -ENOMEM, "no memory for a key");
	memcpy(*kek, &file->kek, sizeof(**kek));
	return 0;
}

int kek_load(const char *path, struct kek **kek, struct error *error)
{
	char credential[SECRET_PATH_MAX];
	struct error why;

	*kek = NULL;
	if (path == NULL) {
		int given = secret_credential_path(KEK_CREDENTIAL, credential, &why);

		if (given == -ENOENT)
			return error_set(error, given,
				"no file with a key-encryption key is named, and %s", why.text);
		if (given != 0)
			return error_set(error, given, "%s", why.text);
		path = credential;
	}
	struct kek_file *file = kek_file_new(error);
	if (file == NULL)
		return -ENOMEM;
	int code = load(path, file, error);
	if (code == 0)
		code = take(file, kek, error);
	sodium_free(file);
	return code;
}

int kek_load_fd(int fd, struct kek **kek, struct error *error)
{
	struct kek_file *file = kek_file_new(error);
	*kek = NULL;
	if (file == NULL)
		return -ENOMEM;
	int code = read_keys(fd, file);
	code = code == 0 ? take(file, kek, error) : complain(error, "that was passed", code);
	sodium_free(file);
	return code;
}

// Writes the file again under another name, and renames that over it.
static int replace(const char *path, struct kek_file *file, struct error *error)
{
	char temporary[4096];
	struct stat owner;

	int len = snprintf(temporary, sizeof(temporary), "%s.new", path);
	if (len < 0 || (size_t)len >= sizeof(temporary))
		return error_set(error, -ENAMETOOLONG, "%s: the path is too long", path);
	// Left by a crash; nothing was sealed under it before it had the name of the key.
	int code = unlink(temporary) != 0 && errno != ENOENT ? -errno : 0;
	if (code == 0)
		code = stat(path, &owner) != 0 ? -errno : create(temporary, file, &owner);
	if (code == 0 && rename(temporary, path) != 0)
		code = -errno;
	if (code == 0)
		code = sync_directory_of(path);
	return code == 0 ? 0 : error_set(error, code, "%s: %s", temporary, strerror(-code));
}

// Reads the file, has it changed, and writes it again if it was. Behind a symbolic link that is the
// file that it leads to, in the directory of that one.
static int rewrite(const char *path, bool (*change)(struct kek_file *file), struct error *error)
{
	char *file_path = realpath(path, NULL);
	if (file_path == NULL)
		return complain(error, path, -errno);
	struct kek_file *file = kek_file_new(error);
	int code = file == NULL ? -ENOMEM : load(file_path, file, error);
	if (code == 0 && change(file))
		code = replace(file_path, file, error);
	sodium_free(file);
	free(file_path);
	return code;
}

static bool add_new(struct kek_file *file)
{
	if (file->kek.count != 1)
		return false;
	randombytes_buf(file->kek.key[file->kek.count++], KEK_LEN);
	return true;
}

static bool drop_old(struct kek_file *file)
{
	if (file->kek.count != 2)
		return false;
	memcpy(file->kek.key[0], file->kek.key[1], KEK_LEN);
	file->kek.count = 1;
	return true;
}

int kek_add_new(const char *path, struct error *error)
{
	return rewrite(path, add_new, error);
}

int kek_drop_old(const char *path, struct error *error)
{
	return rewrite(path, drop_old, error);
}

void kek_free(struct kek *kek)
{
	sodium_free(kek);
}

static const uint8_t store_key_aad[] = "postern store key 1";

void kek_seal(const struct kek *kek, uint8_t *sealed, const uint8_t key[KEK_LEN])
{
	seal(sealed, key, KEK_LEN, store_key_aad, sizeof(store_key_aad), kek->key[kek->count - 1]);
}

int kek_open(const struct kek *kek, uint8_t key[KEK_LEN], const uint8_t *sealed)
{
	for (unsigned i = 0; i < kek->count; i++)
		if (seal_open(key, sealed, KEK_LEN + SEAL_OVERHEAD, store_key_aad,
			    sizeof(store_key_aad), kek->key[i]) == 0)
			return 0;
	return -EKEYREJECTED;
}
