// SPDX-License-Identifier: BSD-3-Clause

#include "bench/upstream_backend.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void give_up(const char *why)
{
	perror(why);
	exit(1);
}

// Becomes the backend.
static void backend_run(int cpu, bool discard, int in, int out)
{
	char path[PATH_MAX], *slash;
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 32);
	cpu_set_t cpus;

	if (len < 0)
		give_up("/proc/self/exe");
	path[len] = 0;
	slash = strrchr(path, '/');
	memcpy(slash + 1, "postern-backend", sizeof("postern-backend"));
	if (cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET(cpu, &cpus);
		if (sched_setaffinity(0, sizeof(cpus), &cpus))
			give_up("sched_setaffinity");
	}
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		give_up("dup2");
	execl(path, path, "--until-eof", "--listen", "127.0.0.1:0", discard ? "--discard" : NULL,
		NULL);
	give_up(path);
}

void upstream_backend_start(int cpu, bool discard, char *url, size_t room)
{
	int in[2], out[2]; // the writing end of in stays open as long as this program runs

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		give_up("pipe");
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		give_up("fork");
	if (!pid)
		backend_run(cpu, discard, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	FILE *f = fdopen(out[0], "r");
	if (!f || !fgets(url, (int)room, f)) {
		fputs("the backend does not start\n", stderr);
		exit(1);
	}
	url[strcspn(url, "\n")] = 0;
	fclose(f);
}
