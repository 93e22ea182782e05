// SPDX-License-Identifier: BSD-3-Clause

#include "base/secret_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

// systemd gives a credential to a service user by an access control list, and then the group bits
// of the mode show the list's mask. Returns whether the list gives the group or any group
// something.
static bool acl_opens_to_groups(int fd)
{
	enum { TAG_USER_OBJ = 1, TAG_USER = 2, TAG_MASK = 0x10 };
	struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entry[16];
	} acl;

	ssize_t len = fgetxattr(fd, "system.posix_acl_access", &acl, sizeof(acl));
	if (len < (ssize_t)sizeof(acl.version))
		return true; // none, or too long to be systemd's: the mode counts
	size_t n = (len - sizeof(acl.version)) / sizeof(acl.entry[0]);
	for (size_t i = 0; i < n; i++) {
		uint16_t tag = le16toh(acl.entry[i].tag);
		if (tag != TAG_USER_OBJ && tag != TAG_USER && tag != TAG_MASK &&
			acl.entry[i].perm != 0)
			return true;
	}
	return false;
}

int secret_credential_path(const char *name, char path[SECRET_PATH_MAX], struct error *error)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");

	if (!directory)
		return error_set(error, -ENOENT, "systemd gave no credentials");
	const int len = snprintf(path, SECRET_PATH_MAX, "%s/%s", directory, name);

	if (len < 0 || len >= SECRET_PATH_MAX)
		return error_set(error, -ENAMETOOLONG, "CREDENTIALS_DIRECTORY is too long");
	return 0;
}

int secret_file_open(const char *path, const char *what, struct error *error)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int code = 0;

	if (fd < 0 || fstat(fd, &st) != 0) {
		code = -errno;
		if (fd >= 0)
			close(fd);
		return error_set(error, code, "%s %s: %s", what, path, strerror(-code));
	}
	if (!S_ISREG(st.st_mode))
		code = error_set(error, -EBADMSG, "%s %s: not a file", what, path);
	else if ((st.st_mode & 07) != 0 || ((st.st_mode & 070) != 0 && acl_opens_to_groups(fd)))
		code = error_set(error, -EACCES,
			"%s %s: others than its owner may use it (mode %04o): "
			"chmod 0600 it, and make a new one if they did",
			what, path, st.st_mode & 07777);
	if (code != 0) {
		close(fd);
		return code;
	}
	return fd;
}
