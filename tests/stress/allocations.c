// SPDX-License-Identifier: BSD-3-Clause

#include "tests/stress/allocations.h"

#include <rte_malloc.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORKER "rte-worker-" // as EAL names the threads

// What these functions are without us; dlsym() would allocate by itself.
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static __thread uint64_t calls __attribute__((tls_model("initial-exec")));
static bool planted;
static int log_fd = -1;

uint64_t allocations(void)
{
	return calls;
}

void allocations_plant(bool plant)
{
	__atomic_store_n(&planted, plant, __ATOMIC_RELAXED);
}

static void called(const char *what)
{
	char line[96], name[16] = "";

	calls++;
	if (log_fd < 0)
		return;
	prctl(PR_GET_NAME, name);
	if (strncmp(name, WORKER, strlen(WORKER)))
		return;
	int len = snprintf(line, sizeof(line), "%s: %s\n", name, what);

	if (write(log_fd, line, len) < 0)
		abort();
}

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("ALLOCATIONS_LOG");

	planted = getenv("ALLOCATIONS_PLANTED");
	if (path)
		log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

void *malloc(size_t size)
{
	called("malloc");
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	called("calloc");
	return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
	called("realloc");
	return __libc_realloc(memory, size);
}

void free(void *memory)
{
	// What was never there costs nothing.
	if (memory)
		called("free");
	__libc_free(memory);
}

void *memalign(size_t alignment, size_t size)
{
	called("memalign");
	return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	called("aligned_alloc");
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
	called("posix_memalign");
	*memory = __libc_memalign(alignment, size);
	return *memory ? 0 : ENOMEM;
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	called("mmap");
	return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

int munmap(void *at, size_t size)
{
	called("munmap");
	return syscall(SYS_munmap, at, size);
}

// The functions of other libraries that come after us.
static void *next(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function)
		abort();
	return function;
}

void *rte_malloc_socket(const char *type, size_t size, unsigned int align, int socket)
{
	static void *(*real)(const char *, size_t, unsigned int, int);

	called("rte_malloc_socket");
	if (!real)
		real = next("rte_malloc_socket");
	return real(type, size, align, socket);
}

void *rte_malloc(const char *type, size_t size, unsigned int align)
{
	called("rte_malloc");
	return rte_malloc_socket(type, size, align, SOCKET_ID_ANY);
}

void *rte_zmalloc_socket(const char *type, size_t size, unsigned int align, int socket)
{
	static void *(*real)(const char *, size_t, unsigned int, int);

	called("rte_zmalloc_socket");
	if (!real)
		real = next("rte_zmalloc_socket");
	return real(type, size, align, socket);
}

void *rte_zmalloc(const char *type, size_t size, unsigned int align)
{
	called("rte_zmalloc");
	return rte_zmalloc_socket(type, size, align, SOCKET_ID_ANY);
}

void rte_free(void *memory)
{
	static void (*real)(void *);

	if (memory)
		called("rte_free");
	if (!real)
		real = next("rte_free");
	real(memory);
}

void sodium_memzero(void *const memory, const size_t size)
{
	static void (*real)(void *, size_t);

	if (__atomic_load_n(&planted, __ATOMIC_RELAXED)) {
		void *volatile lost = malloc(1); // else the compiler sees that nobody needs it

		free(lost);
	}
	if (!real)
		real = next("sodium_memzero");
	real(memory, size);
}
