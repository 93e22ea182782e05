// SPDX-License-Identifier: BSD-3-Clause
// The file of the key-encryption key: a header line, then the key and a checksum of it in hex.

#include "gw/store/kek.h"

#include "base/secret_file.h"
#include "gw/store/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEK_HEADER       "postern key-encryption key 1\n"
#define KEK_HEADER_LEN   (sizeof(KEK_HEADER) - 1)
#define KEK_CHECKSUM_LEN 16 // bytes, the least that generichash makes
// Header, hex of the key, space, hex of the checksum, newline.
#define KEK_FILE_LEN (KEK_HEADER_LEN + 2 * KEK_LEN + 1 + 2 * KEK_CHECKSUM_LEN + 1)

struct kek {
	uint8_t key[KEK_LEN];
};

// Work space that holds the key.
struct kek_file {
	char text[KEK_FILE_LEN + 1];
	uint8_t key[KEK_LEN];
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

int kek_create(const char *path, struct error *error)
{
	struct kek_file *file = sodium_init() < 0 ? NULL : sodium_malloc(sizeof(*file));
	if (file == NULL)
		return error_set(error, -ENOMEM, "no memory for a key");

	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		int code = -errno;
		sodium_free(file);
		if (code == -EEXIST)
			return error_set(error, code, "%s is there already: not overwritten", path);
		return error_set(error, code, "%s: %s", path, strerror(-code));
	}
	randombytes_buf(file->key, sizeof(file->key));
	char *to = mempcpy(file->text, KEK_HEADER, KEK_HEADER_LEN);
	to = sodium_bin2hex(to, 2 * KEK_LEN + 1, file->key, KEK_LEN) + 2 * KEK_LEN;
	*to++ = ' ';
	checksum(to, file->key);
	to[2 * KEK_CHECKSUM_LEN] = '\n';

	int code = write_file(fd, file->text, KEK_FILE_LEN);
	if (close(fd) != 0 && code == 0)
		code = -errno;
	if (code == 0)
		code = sync_directory_of(path);
	sodium_free(file);
	if (code != 0) {
		unlink(path);
		return error_set(error, code, "%s: %s", path, strerror(-code));
	}
	return 0;
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
	else if (st.st_size != KEK_FILE_LEN)
		code = error_set(error, -EBADMSG,
			"key-encryption key %s: %lld bytes instead of %zu", path,
			(long long)st.st_size, KEK_FILE_LEN);
	if (code != 0) {
		close(fd);
		return code;
	}
	return fd;
}

static int parse(struct kek_file *file)
{
	char sum[2 * KEK_CHECKSUM_LEN + 1];
	const char *hex = file->text + KEK_HEADER_LEN;
	size_t len;

	if (memcmp(file->text, KEK_HEADER, KEK_HEADER_LEN) != 0)
		return -EBADMSG;
	if (sodium_hex2bin(file->key, KEK_LEN, hex, 2 * KEK_LEN, NULL, &len, NULL) != 0 ||
		len != KEK_LEN)
		return -EBADMSG;
	checksum(sum, file->key);
	hex += 2 * KEK_LEN;
	bool good = hex[0] == ' ' && memcmp(hex + 1, sum, 2 * KEK_CHECKSUM_LEN) == 0 &&
		hex[1 + 2 * KEK_CHECKSUM_LEN] == '\n';
	return good ? 0 : -EBADMSG;
}

static int load(const char *path, struct kek_file *file, struct kek *kek, struct error *error)
{
	int fd = open_private(path, error);
	if (fd < 0)
		return fd;
	ssize_t len = read(fd, file->text, KEK_FILE_LEN);
	int code = len < 0 ? -errno : len != KEK_FILE_LEN ? -EBADMSG : parse(file);
	close(fd);
	if (code != 0)
		return error_set(error, code, "key-encryption key %s: %s", path,
			code == -EBADMSG ? "damaged, or no such key" : strerror(-code));
	memcpy(kek->key, file->key, KEK_LEN);
	return 0;
}

int kek_load(const char *path, struct kek **kek, struct error *error)
{
	char credential[4096];

	*kek = NULL;
	if (path == NULL) {
		const char *directory = getenv("CREDENTIALS_DIRECTORY");
		if (directory == NULL)
			return error_set(error, -ENOENT,
				"no file with a key-encryption key is named, and systemd gave no "
				"credentials");
		int len = snprintf(credential, sizeof(credential), "%s/" KEK_CREDENTIAL, directory);
		if (len < 0 || (size_t)len >= sizeof(credential))
			return error_set(error, -ENAMETOOLONG, "CREDENTIALS_DIRECTORY is too long");
		path = credential;
	}
	if (sodium_init() < 0)
		return error_set(error, -EIO, "libsodium does not start");
	struct kek_file *file = sodium_malloc(sizeof(*file));
	struct kek *loaded = sodium_malloc(sizeof(*loaded));
	int code = file == NULL || loaded == NULL ? error_set(error, -ENOMEM, "no memory for a key")
						  : load(path, file, loaded, error);
	sodium_free(file);
	if (code != 0) {
		sodium_free(loaded);
		return code;
	}
	*kek = loaded;
	return 0;
}

void kek_free(struct kek *kek)
{
	sodium_free(kek);
}

static const uint8_t store_key_aad[] = "postern store key 1";

void kek_seal(const struct kek *kek, uint8_t *sealed, const uint8_t key[KEK_LEN])
{
	seal(sealed, key, KEK_LEN, store_key_aad, sizeof(store_key_aad), kek->key);
}

int kek_open(const struct kek *kek, uint8_t key[KEK_LEN], const uint8_t *sealed)
{
	int code = seal_open(key, sealed, KEK_LEN + SEAL_OVERHEAD, store_key_aad,
		sizeof(store_key_aad), kek->key);
	return code == 0 ? 0 : -EKEYREJECTED;
}
