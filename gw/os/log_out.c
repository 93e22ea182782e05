// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/log_out.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void log_out_open(struct log_out *out, int fd)
{
	struct stat st;
	char path[32];
	int again;

	*out = (struct log_out){.fd = fd};
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

void log_out_close(struct log_out *out)
{
	if (out->own)
		close(out->fd);
	*out = (struct log_out){.fd = -1};
}

static ssize_t write_once(const struct log_out *out, const char *text, size_t len)
{
	return out->socket ? send(out->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL)
			   : write(out->fd, text, len);
}

size_t log_out_write(const struct log_out *out, const char *text, size_t len, int wait_ms)
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
