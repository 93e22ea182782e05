// SPDX-License-Identifier: BSD-3-Clause
// The key-encryption key: 32 random bytes in a file of their own, away from the store that they
// open. docs/store.md has the format.

#ifndef POSTERN_GW_STORE_KEK_H
#define POSTERN_GW_STORE_KEK_H

#include "base/error.h"

#include <stdint.h>

#define KEK_LEN        32                         // bytes
#define KEK_CREDENTIAL "postern.kek"              // name of the systemd credential
#define KEK_OF_UNIT    "/etc/postern/postern.kek" // the file that the unit makes it of

// Holds the key in memory that is locked, guarded and left out of core dumps.
struct kek;

// Makes a new key and writes it to a file with mode 0600, durably.
// Returns 0, -EEXIST if something has that name already (it is never overwritten), or why it cannot
// be written.
int kek_create(const char *path, struct error *error) __attribute__((warn_unused_result));

// Reads the key. path NULL: the credential KEK_CREDENTIAL in the directory that systemd names in
// CREDENTIALS_DIRECTORY. On success *kek is the caller's, to be freed with kek_free().
// Returns 0, -EACCES if others than its owner may read or write the file, -EBADMSG if it is not a
// key file, is damaged or too long, -ENOENT, -ENOMEM, or why it cannot be read.
int kek_load(const char *path, struct kek **kek, struct error *error)
	__attribute__((warn_unused_result));

// The same from a descriptor that is open for reading; who opened it has decided that it may be
// used. The descriptor stays open.
int kek_load_fd(int fd, struct kek **kek, struct error *error) __attribute__((warn_unused_result));

// The rotation of a key, by who may write the file. Between the two steps the file has both keys,
// the new one last, and kek_open() tries both: so a crash at any moment leaves a file that opens
// the store. Each step replaces the file in one rename, with the same owner and mode, durably; a
// symbolic link stays, and the file that it leads to is replaced. Adds a new key; a file that has
// two already, of a rotation that was interrupted, stays as it is.
int kek_add_new(const char *path, struct error *error) __attribute__((warn_unused_result));
// Removes the older key, once the store is sealed under the newer; a file with one key stays as it
// is.
int kek_drop_old(const char *path, struct error *error) __attribute__((warn_unused_result));

// Wipes and frees; NULL is allowed.
void kek_free(struct kek *kek);

// Seals the store's own key under the newest key of the file. sealed[] has KEK_LEN + SEAL_OVERHEAD
// bytes.
void kek_seal(const struct kek *kek, uint8_t *sealed, const uint8_t key[KEK_LEN]);
// Opens it. -EKEYREJECTED if it was sealed under none of the keys.
int kek_open(const struct kek *kek, uint8_t key[KEK_LEN], const uint8_t *sealed)
	__attribute__((warn_unused_result));

#endif
