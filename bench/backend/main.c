// SPDX-License-Identifier: BSD-3-Clause
// postern-backend: an HTTP/1.1 backend for tests and benchmarks.

#include "bench/backend/args.h"
#include "bench/backend/listen.h"
#include "bench/backend/loop.h"
#include "gw/os/standard_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void give_up(const char *what)
{
	fprintf(stderr, "postern-backend: %s: %s\n", what, strerror(errno));
	exit(1);
}

// Blocks the signals that end the program. Returns a descriptor that reports them.
static int signals_take(void)
{
	sigset_t end;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &end, NULL))
		give_up("sigprocmask");
	int fd = signalfd(-1, &end, SFD_CLOEXEC);
	if (fd < 0)
		give_up("signalfd");
	return fd;
}

static void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void ready(const struct be_listener *listeners, unsigned count, int fd)
{
	struct be_text text = {0};

	for (unsigned i = 0; i < count; i++)
		be_text_print(&text, "%s\n", listeners[i].url);
	if (write(fd < 0 ? STDOUT_FILENO : fd, text.data, text.len) != (ssize_t)text.len)
		give_up("ready");
	if (fd >= 0)
		close(fd);
	be_text_free(&text);
}

// Waits for a signal, or for the end of standard input.
static void wait_end(int signals, bool until_eof)
{
	struct pollfd fds[] = {
		{.fd = signals, .events = POLLIN},
		{.fd = until_eof ? STDIN_FILENO : -1, .events = POLLIN},
	};
	char buf[256];

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			give_up("poll");
		if (fds[0].revents)
			return;
		if (fds[1].revents && read(STDIN_FILENO, buf, sizeof(buf)) <= 0)
			return;
	}
}

int main(int argc, char **argv)
{
	static struct be_listener listeners[BE_LISTEN_MAX];
	static struct be_server server;
	struct be_args args;

	if (standard_fds_take())
		return EXIT_FAILURE;
	be_args_parse(&args, argc, argv);
	int signals = signals_take();
	descriptors_raise();
	server = (struct be_server){
		.behaviour = args.behaviour,
		.name = args.name,
		.discard = args.discard,
		.idle_ms = args.idle_ms,
		.rekey_ms = args.rekey_ms,
		.max_requests = args.max_requests,
		.seed = args.seed,
		.log_fd = -1,
		.tls = be_tls_make(&args.tls),
		.threads = (unsigned)args.threads,
	};
	be_count_init(&server.count);
	server.count.by_key = args.count;
	if (args.log) {
		server.log_fd = open(args.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (server.log_fd < 0)
			give_up(args.log);
	}
	for (unsigned i = 0; i < args.listens; i++)
		be_listen(&listeners[i], args.listen[i], server.tls);
	struct be_loop *loop = be_loop_start(&server, listeners, args.listens);
	ready(listeners, args.listens, args.ready_fd);

	wait_end(signals, args.until_eof);
	be_loop_stop(loop);
	for (unsigned i = 0; i < args.listens; i++)
		be_listen_end(&listeners[i]);
	if (args.count) {
		struct be_text text = {0};

		be_count_json(&server.count, false, &text);
		fwrite(text.data, 1, text.len, stdout);
		be_text_free(&text);
	}
	be_count_free(&server.count);
	SSL_CTX_free(server.tls);
	if (server.log_fd >= 0)
		close(server.log_fd);
	close(signals);
	return EXIT_SUCCESS;
}
