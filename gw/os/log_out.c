// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/log_out.h"

#include "base/clock.h"
#include "gw/os/log_form.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FIELDS_MORE   256 // bytes of fields beside the line
#define SEND_AGAIN_MS 50  // a full journal does not say that there is room

void log_out_open(struct log_out *out, int fd)
{
	struct stat st;
	char path[32];
	int again;

	*out = (struct log_out){.fd = fd, .journal = -1};
	if (fstat(fd, &st))
		return;
	out->socket = S_ISSOCK(st.st_mode);
	if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (again < 0)
		return;
	out->fd = again;
	out->own = true;
}

void log_out_file(struct log_out *out, int fd)
{
	*out = (struct log_out){.fd = fd, .own = fd >= 0, .journal = -1};
}

void log_out_close(struct log_out *out)
{
	if (out->own)
		close(out->fd);
	if (out->journal >= 0)
		close(out->journal);
	*out = (struct log_out){.fd = -1, .journal = -1};
}

static ssize_t write_once(const struct log_out *out, const char *text, size_t len)
{
	return out->socket ? send(out->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL)
			   : write(out->fd, text, len);
}

// ---- the journal

void log_out_to_journal(struct log_out *out, const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	memcpy(to.sun_path, path, strnlen(path, sizeof(to.sun_path) - 1));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return;
	}
	out->journal = fd;
}

// Sends a line, and waits until until_ms. Returns whether it was taken; errno says why not.
static bool journal_send(const struct log_out *out, const char *line, size_t len, int64_t until_ms)
{
	char fields[LOG_LINE_MAX + FIELDS_MORE];
	struct pollfd ready = {.fd = out->journal, .events = POLLOUT};
	size_t bytes = log_form_fields(fields, sizeof(fields), line, len);

	while (send(out->journal, fields, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		int64_t left = until_ms - (int64_t)clock_ms();

		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || left <= 0)
			return false;
		poll(&ready, 1, left < SEND_AGAIN_MS ? (int)left : SEND_AGAIN_MS);
	}
	return true;
}

// Returns how many bytes were sent, as whole lines.
static size_t journal_write(struct log_out *out, const char *text, size_t len, int64_t until_ms)
{
	size_t done = 0;

	while (done < len) {
		const char *end = memchr(text + done, '\n', len - done);
		size_t line = end ? (size_t)(end - text) - done : len - done;

		if (!journal_send(out, text + done, line, until_ms)) {
			if (errno == EAGAIN)
				break;
			close(out->journal);
			out->journal = -1;
			break;
		}
		done += line + (end != NULL);
	}
	return done;
}

// ---- any other

static size_t stream_write(const struct log_out *out, const char *text, size_t len, int wait_ms)
{
	struct pollfd ready = {.fd = out->fd, .events = POLLOUT};
	int64_t until = (int64_t)clock_ms() + wait_ms;
	size_t done = 0;

	while (done < len) {
		int64_t left = until - (int64_t)clock_ms();
		int n = poll(&ready, 1, left > 0 ? (int)left : 0);

		if (n == 0)
			errno = EAGAIN;
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		if (n < 0)
			continue;
		ssize_t taken = write_once(out, text + done, len - done);

		if (taken > 0) {
			done += (size_t)taken;
			continue;
		}
		if (taken < 0 && errno == EINTR)
			continue;
		// Another writer was quicker, or a terminal is held: wait for it again.
		if (taken < 0 && errno == EAGAIN && left > 0)
			continue;
		break;
	}
	return done;
}

size_t log_out_write(struct log_out *out, const char *text, size_t len, int wait_ms)
{
	size_t done = 0;

	if (out->journal >= 0)
		done = journal_write(out, text, len, (int64_t)clock_ms() + wait_ms);
	if (done == len || out->journal >= 0)
		return done;
	return done + stream_write(out, text + done, len - done, wait_ms);
}
