// SPDX-License-Identifier: BSD-3-Clause
// The system calls and the clock of the engine: counted, cut short, and made to fail.

#include "tests/model/h1_pool.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 4096

uint64_t pool_now_ms;

static bool engine_runs, faults;
static uint64_t faults_met;
static bool engine_has[DESCRIPTORS_MAX];
static unsigned engine_count;
static int of_port[65536]; // descriptor + 1
static uint16_t port_of[DESCRIPTORS_MAX];

void pool_engine_enter(void)
{
	engine_runs = true;
}

void pool_engine_leave(void)
{
	engine_runs = false;
}

void pool_faults(bool on)
{
	faults = on;
}

uint64_t pool_faults_met(void)
{
	return faults_met;
}

unsigned pool_sockets_open(void)
{
	return engine_count;
}

int pool_socket_of(uint16_t port)
{
	return of_port[port] - 1;
}

static bool fails(uint32_t one_in)
{
	if (!engine_runs || !faults || !pool_one_in(one_in))
		return false;
	faults_met++;
	return true;
}

static int failed(int error)
{
	errno = error;
	return -1;
}

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, now);
	now->tv_sec = (time_t)(pool_now_ms / 1000);
	now->tv_nsec = (long)(pool_now_ms % 1000 * 1000000);
	return 0;
}

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
	if (fails(300))
		return failed(pool_one_in(2) ? EMFILE : ENOBUFS);
	int fd = __real_socket(domain, type, protocol);
	if (fd >= 0 && engine_runs) {
		cr_assert_lt(fd, DESCRIPTORS_MAX);
		engine_has[fd] = true;
		engine_count++;
	}
	return fd;
}

int __real_connect(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	struct sockaddr_in own;
	socklen_t own_len = sizeof(own);

	if (fails(300))
		return failed(pool_one_in(2) ? EADDRNOTAVAIL : ENOMEM);
	int rc = __real_connect(fd, address, len);
	int error = errno;

	if (address->sa_family == AF_INET && engine_runs &&
		!getsockname(fd, (struct sockaddr *)&own, &own_len) && own.sin_port) {
		port_of[fd] = ntohs(own.sin_port);
		of_port[port_of[fd]] = fd + 1;
	}
	errno = error;
	return rc;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	if (fd >= 0 && fd < DESCRIPTORS_MAX && engine_has[fd]) {
		cr_assert(engine_runs, "the engine's socket is closed by another");
		engine_has[fd] = false;
		engine_count--;
		if (port_of[fd] && of_port[port_of[fd]] == fd + 1)
			of_port[port_of[fd]] = 0;
		port_of[fd] = 0;
	}
	return __real_close(fd);
}

// From 1 to len - 1 bytes.
static size_t fewer(size_t len)
{
	size_t n = pool_one_in(2) && len > 9 ? 8 : len - 1;

	return 1 + pool_below((uint32_t)n);
}

// 0: as it is; an errno; or -1: so many bytes only.
static int cut_short(size_t *len)
{
	if (fails(300))
		return pool_one_in(2) ? ENOBUFS : ENOMEM;
	if (fails(300))
		return EINTR;
	if (fails(6))
		return EAGAIN;
	if (*len > 1 && fails(3)) {
		*len = fewer(*len);
		return -1;
	}
	return 0;
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct iovec iov[2];
	struct msghdr cut = {.msg_iov = iov};
	size_t len = 0;

	for (size_t i = 0; i < message->msg_iovlen; i++)
		len += message->msg_iov[i].iov_len;
	int error = cut_short(&len);
	if (error > 0)
		return failed(error);
	for (size_t i = 0; i < message->msg_iovlen && len; i++) {
		iov[i] = message->msg_iov[i];
		if (iov[i].iov_len > len)
			iov[i].iov_len = len;
		len -= iov[i].iov_len;
		cut.msg_iovlen++;
	}
	return __real_sendmsg(fd, &cut, flags);
}

// OpenSSL's, too.
ssize_t write(int fd, const void *data, size_t len)
{
	if (engine_runs && fd >= 0 && fd < DESCRIPTORS_MAX && engine_has[fd]) {
		int error = cut_short(&len);

		if (error > 0)
			return failed(error);
	}
	return syscall(SYS_write, fd, data, len);
}

ssize_t read(int fd, void *data, size_t room)
{
	if (engine_runs && fd >= 0 && fd < DESCRIPTORS_MAX && engine_has[fd] && room > 1 &&
		fails(4))
		room = fewer(room);
	return syscall(SYS_read, fd, data, room);
}

ssize_t __real_recv(int fd, void *buf, size_t room, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t room, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t room, int flags)
{
	if (fails(300))
		return failed(EINTR);
	if (room > 1 && fails(4))
		room = fewer(room);
	return __real_recv(fd, buf, room, flags);
}

int __real_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	if (fails(op == EPOLL_CTL_ADD ? 300 : 100))
		return failed(op == EPOLL_CTL_ADD ? ENOSPC : ENOMEM);
	return __real_epoll_ctl(epoll, op, fd, event);
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return fails(100) ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return fails(100) ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
	return fails(20) ? NULL : __real_realloc(old, size);
}
