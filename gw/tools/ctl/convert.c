// SPDX-License-Identifier: BSD-3-Clause
// device convert: devices of another implementation as JSON for an import. Nothing is written
// before all is read, and no secret goes where others can see it.

#include "gw/tools/ctl/convert.h"

#include "gw/device/convert.h"
#include "gw/device/json_write.h"
#include "gw/tools/ctl/complain.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1024 * 1024)     // bytes that are read
#define OUT_MAX  (4 * 1024 * 1024) // and written

// In memory of its own kind, which is wiped when it is freed.
struct buffers {
	char in[CONVERT_AIOCOAP][FILE_MAX + 1];
	size_t in_len[CONVERT_AIOCOAP];
	char out[OUT_MAX];
	size_t out_len;
	unsigned devices;
};

static int take(void *arg, const struct device_spec *spec)
{
	struct buffers *buffers = arg;

	if (OUT_MAX - buffers->out_len < DEVICE_JSON_MAX)
		return -EFBIG;
	buffers->out_len += device_json(buffers->out + buffers->out_len, spec);
	buffers->devices++;
	return 0;
}

// Reads a whole file, and ends it with 0. 0 or -errno.
static int fd_read(int fd, char *text, size_t *len)
{
	ssize_t n;

	*len = 0;
	while ((n = read(fd, text + *len, FILE_MAX + 1 - *len)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		*len += n > 0 ? n : 0;
		if (*len > FILE_MAX)
			return -EFBIG;
	}
	text[*len] = 0;
	return 0;
}

static int file_read(int directory, const char *path, struct buffers *buffers, unsigned which)
{
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO)
					: openat(directory, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int code = fd_read(fd, buffers->in[which], &buffers->in_len[which]);
	close(fd);
	return code;
}

static int aiocoap(const struct convert *convert, const char *path, struct buffers *buffers,
	struct error *error)
{
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), code = 0;
	char *text[CONVERT_AIOCOAP] = {NULL};

	if (directory < 0)
		return error_set(error, -errno, "%s", strerror(errno));
	for (unsigned i = 0; code == 0 && i < CONVERT_AIOCOAP; i++) {
		const char *name = convert_aiocoap_files[i];

		code = file_read(directory, name, buffers, i);
		if (code == 0)
			text[i] = buffers->in[i];
		else if (code != -ENOENT)
			error_set(error, code, "%s: %s", name, strerror(-code));
		code = code == -ENOENT ? 0 : code;
	}
	close(directory);
	return code == 0 ? convert_aiocoap(convert, text, buffers->in_len, error) : code;
}

static int convert_path(const struct cli *cli, const struct convert *convert, const char *path,
	struct buffers *buffers, struct error *error)
{
	if (strcmp(cli->from, "aiocoap") == 0)
		return aiocoap(convert, path, buffers, error);

	int code = file_read(AT_FDCWD, path, buffers, 0);

	if (code != 0)
		return error_set(
			error, code, "%s", code == -EFBIG ? "more than 1 MB" : strerror(-code));
	return strcmp(cli->from, "leshan") == 0
		? convert_leshan(convert, buffers->in[0], buffers->in_len[0], error)
		: convert_libcoap(convert, buffers->in[0], buffers->in_len[0], error);
}

// Standard output, unless secrets would be seen there, or a new file. -1 after a complaint.
static int out_open(const struct cli *cli)
{
	struct stat st;

	if (cli->given & CLI_OUT) {
		int fd = open(cli->out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			cli_complain("%s: %s", cli->out, strerror(errno));
		return fd;
	}
	if (isatty(STDOUT_FILENO)) {
		cli_complain("secrets are not shown on a terminal: use --out FILE, or a pipe to "
			     "\"posternctl device import -\"");
		return -1;
	}
	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0) {
		cli_complain(
			"others may use the file that standard output goes to: use --out FILE");
		return -1;
	}
	return STDOUT_FILENO;
}

static int out_write(const struct cli *cli, int fd, const struct buffers *buffers)
{
	size_t done = 0;

	while (done < buffers->out_len) {
		ssize_t n = write(fd, buffers->out + done, buffers->out_len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			cli_complain("%s: %s", fd == STDOUT_FILENO ? "standard output" : cli->out,
				strerror(errno));
			return CLI_FAILED;
		}
		done += n;
	}
	return CLI_OK;
}

static int convert_all(const struct cli *cli, const char *path, struct buffers *buffers)
{
	const struct convert convert = {
		.server = cli->given & CLI_SERVER,
		.never_used = cli->given & CLI_NEVER_USED,
		.each = take,
		.arg = buffers,
	};
	struct error error = {0};
	int code = convert_path(cli, &convert, path, buffers, &error);

	if (code != 0) {
		cli_complain("%s: %s", path, error.text[0] ? error.text : strerror(-code));
		return CLI_FAILED;
	}
	int fd = out_open(cli);
	if (fd < 0)
		return CLI_FAILED;
	int ret = out_write(cli, fd, buffers);
	if (fd == STDOUT_FILENO)
		return ret;
	if (close(fd) != 0 && ret == CLI_OK) {
		cli_complain("%s: %s", cli->out, strerror(errno));
		ret = CLI_FAILED;
	}
	if (ret == CLI_OK)
		printf("%s: %u devices\n", cli->out, buffers->devices);
	else
		unlink(cli->out);
	return ret;
}

int cli_device_convert(struct cli *cli, const char *path)
{
	if (!(cli->given & CLI_FROM) ||
		(strcmp(cli->from, "libcoap") != 0 && strcmp(cli->from, "aiocoap") != 0 &&
			strcmp(cli->from, "leshan") != 0)) {
		cli_complain("--from: libcoap, aiocoap or leshan");
		return CLI_USAGE;
	}

	struct buffers *buffers = sodium_malloc(sizeof(*buffers));

	if (buffers == NULL) {
		cli_complain("no memory");
		return CLI_FAILED;
	}
	memset(buffers, 0, sizeof(*buffers));
	int ret = convert_all(cli, path, buffers);
	sodium_free(buffers);
	return ret;
}
