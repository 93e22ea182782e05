// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/threads.h"

#include "tests/sim/disk.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <ucontext.h>

#ifdef __SANITIZE_ADDRESS__
#define STACK (1 << 20)
#else
#define STACK (256 << 10)
#endif
#define IDLE_MAX 100000 // turns of others for which main waits at most

enum state { NONE, NEW, RUNNING, WAITING, ENDED };

// What a thread goes on with. swapcontext() would ask the kernel for the mask of signals each time.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
struct flow {
	void *sp;
};

void flow_switch(struct flow *from, const struct flow *to) __attribute__((noinline));
__asm__(".text\n"
	".type flow_switch, @function\n"
	"flow_switch:\n"
	"	push %rbp\n	push %rbx\n	push %r12\n	push %r13\n	push %r14\n	"
	"push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov (%rsi), %rsp\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbx\n	"
	"pop %rbp\n"
	"	ret\n"
	".size flow_switch, . - flow_switch\n");

static void flow_make(struct flow *flow, uint8_t *stack, size_t bytes, void (*run)(void))
{
	void **top = (void **)(stack + bytes);

	*--top = NULL; // as if it had been called, by nobody
	*--top = (void *)run;
	for (unsigned i = 0; i < 6; i++)
		*--top = NULL;
	flow->sp = top;
}
#else
struct flow {
	ucontext_t context;
};

static void flow_switch(struct flow *from, const struct flow *to)
{
	swapcontext(&from->context, &to->context);
}

static void flow_make(struct flow *flow, uint8_t *stack, size_t bytes, void (*run)(void))
{
	getcontext(&flow->context);
	flow->context.uc_stack.ss_sp = stack;
	flow->context.uc_stack.ss_size = bytes;
	flow->context.uc_link = NULL;
	makecontext(&flow->context, run, 0);
}
#endif

// What somebody waits for.
struct wait {
	struct pollfd *fds; // any of these
	nfds_t count;
	int epoll; // or this one, if it is not 0
	uint64_t until_ms;
};

struct thread {
	enum state state;
	struct flow flow;
	void *(*start)(void *arg);
	void *arg;
	char name[16];
	struct wait wait;
	_Alignas(64) uint8_t stack[STACK];
};

static struct thread threads[SIM_THREADS_MAX];
static struct thread *running; // NULL: main, or a worker
static struct flow schedule;
void (*sim_threads_idle)(void);

// --- what a thread waits for ------------------------------------------------------------------

static bool event_ready(int fd)
{
	const struct sim_fd *of = sim_fd_get(fd);

	return of && (of->kind == SIM_FD_FILE || (of->kind == SIM_FD_EVENT && of->count));
}

static int poll_ready(struct pollfd *fds, nfds_t count)
{
	int ready = 0;

	for (nfds_t i = 0; i < count; i++) {
		fds[i].revents = event_ready(fds[i].fd) ? POLLIN : 0;
		ready += fds[i].revents != 0;
	}
	return ready;
}

static int epoll_ready(int epoll, struct epoll_event *events, int room)
{
	const struct sim_fd *of = sim_fd_get(epoll);
	int ready = 0;

	for (unsigned i = 0; of && i < of->watched && ready < room; i++)
		if (of->watch[i].fd && event_ready(of->watch[i].fd)) {
			events[ready].events = EPOLLIN;
			events[ready++].data.u64 = of->watch[i].data;
		}
	return ready;
}

static bool is_ready(const struct wait *wait)
{
	struct epoll_event event;

	return sim_mono_ms() >= wait->until_ms ||
		(wait->epoll ? epoll_ready(wait->epoll, &event, 1)
			     : poll_ready(wait->fds, wait->count)) > 0;
}

// Returns when what *wait says is there, or its time is over.
static void wait_for(const struct wait *wait)
{
	if (running) {
		running->wait = *wait;
		running->state = WAITING;
		flow_switch(&running->flow, &schedule);
		return;
	}
	for (unsigned turns = 0; !is_ready(wait); turns++) {
		must(turns < IDLE_MAX, "main waits for ever");
		sim_threads_idle();
	}
}

static uint64_t until(int timeout_ms)
{
	return timeout_ms < 0 ? UINT64_MAX : sim_mono_ms() + (unsigned)timeout_ms;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	int ready = poll_ready(fds, count);

	if (ready || !timeout_ms)
		return ready;
	wait_for(&(struct wait){.fds = fds, .count = count, .until_ms = until(timeout_ms)});
	return poll_ready(fds, count);
}

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout_ms);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout_ms)
{
	int ready = epoll_ready(epoll, events, room);

	if (ready || !timeout_ms)
		return ready;
	wait_for(&(struct wait){.epoll = epoll, .until_ms = until(timeout_ms)});
	return epoll_ready(epoll, events, room);
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
	uint64_t ms = (uint64_t)time->tv_sec * 1000 + (uint64_t)(time->tv_nsec + 999999) / 1000000;

	wait_for(&(struct wait){.until_ms = sim_mono_ms() + ms});
	return 0;
}

// --- descriptors ------------------------------------------------------------------------------

int __wrap_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags)
{
	int fd = sim_fd_make(SIM_FD_EVENT);

	if (fd >= 0)
		sim_fd_get(fd)->count = count;
	return fd;
}

int __wrap_epoll_create1(int flags);
int __wrap_epoll_create1(int flags)
{
	return sim_fd_make(SIM_FD_EPOLL);
}

int __wrap_epoll_ctl(int epoll, int what, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
	struct sim_fd *of = sim_fd_get(epoll);
	unsigned i = 0;

	while (i < SIM_EPOLL_MAX && of->watch[i].fd != (what == EPOLL_CTL_ADD ? 0 : fd))
		i++;
	must(i < SIM_EPOLL_MAX, "no room in an epoll");
	if (i >= of->watched)
		of->watched = i + 1;
	of->watch[i].fd = what == EPOLL_CTL_DEL ? 0 : fd;
	if (event)
		of->watch[i].data = event->data.u64;
	return 0;
}

// The claim on a store is a name that no other process has here.
int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
	return sim_fd_make(SIM_FD_OTHER);
}

int __wrap_bind(int fd, const void *name, unsigned len);
int __wrap_bind(int fd, const void *name, unsigned len)
{
	return 0;
}

int __wrap_listen(int fd, int room);
int __wrap_listen(int fd, int room)
{
	return 0;
}

// --- threads ----------------------------------------------------------------------------------

static void thread_main(void)
{
	running->start(running->arg);
	running->state = ENDED;
	flow_switch(&running->flow, &schedule);
}

int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);
int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	unsigned i = 0;

	while (i < SIM_THREADS_MAX && threads[i].state != NONE)
		i++;
	must(i < SIM_THREADS_MAX, "too many threads");
	struct thread *t = &threads[i];

	t->state = NEW;
	t->start = start;
	t->arg = arg;
	snprintf(t->name, sizeof(t->name), "thread %u", i);
	flow_make(&t->flow, t->stack, STACK, thread_main);
	*thread = (pthread_t)(i + 1);
	return 0;
}

int __wrap_pthread_setname_np(pthread_t thread, const char *name);
int __wrap_pthread_setname_np(pthread_t thread, const char *name)
{
	struct thread *t = running ? running : &threads[thread - 1];

	snprintf(t->name, sizeof(t->name), "%s", name);
	return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result)
{
	struct thread *t = &threads[thread - 1];

	must(!running, "only main waits for threads");
	for (unsigned turns = 0; t->state != ENDED; turns++) {
		must(turns < IDLE_MAX, "thread %s never ends", t->name);
		sim_threads_idle();
	}
	t->state = NONE;
	return 0;
}

bool sim_thread_ready(unsigned thread)
{
	const struct thread *t = &threads[thread];

	return t->state == NEW || (t->state == WAITING && is_ready(&t->wait));
}

void sim_thread_run(unsigned thread)
{
	running = &threads[thread];
	running->state = RUNNING;
	flow_switch(&schedule, &running->flow);
	running = NULL;
}

const char *sim_thread_name(unsigned thread)
{
	return threads[thread].name;
}

unsigned sim_threads_count(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < SIM_THREADS_MAX; i++)
		count += threads[i].state != NONE;
	return count;
}

uint64_t sim_threads_next_ms(void)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < SIM_THREADS_MAX; i++)
		if (threads[i].state == WAITING && threads[i].wait.until_ms < next)
			next = threads[i].wait.until_ms;
	return next;
}
