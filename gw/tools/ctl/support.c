// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/support.h"

#include "gw/conf/conf.h"
#include "gw/tools/ctl/complain.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGS_MAX 16
#define SELF     "/proc/self/exe"

// What others than posternctl tell; each ends by itself or is ended.
static const char *const programs[][ARGS_MAX] = {
	{"uname", "-srvm", NULL},
	{"cat", "/etc/os-release", NULL},
	{"dpkg-query", "-W", "postern*", "librte-eal*", "librte-net-*", NULL},
	{"lscpu", NULL},
	{"cat", "/proc/cmdline", NULL},
	{"grep", "-i", "huge", "/proc/meminfo", NULL},
	{"ip", "-s", "link", NULL},
	{"systemctl", "show", "postern", "--property",
		"ActiveState,SubState,Result,ExecMainStatus,NRestarts,StatusText,MemoryCurrent",
		NULL},
	{"journalctl", "-u", "postern", "-n", "500", "--no-pager", "-o", "short-iso-precise", NULL},
};

// Commands of posternctl.
static const char *const commands[][ARGS_MAX] = {
	{"status", NULL},
	{"stats", "--all", NULL},
	{"show refused", "--count", "200", NULL},
};

// Runs a program whose output goes to the file, below a line with its name.
static void run(FILE *out, const char *program, char *const argv[], const char *title)
{
	posix_spawn_file_actions_t actions;
	int status = 0;
	pid_t pid;

	fprintf(out, "\n== %s\n", title);
	fflush(out);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, fileno(out), STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fileno(out), STDERR_FILENO);
	int rc = posix_spawnp(&pid, program, &actions, NULL, argv, environ);

	posix_spawn_file_actions_destroy(&actions);
	if (!rc && waitpid(pid, &status, 0) < 0)
		rc = errno;
	fseek(out, 0, SEEK_END);
	if (rc)
		fprintf(out, "(%s)\n", strerror(rc));
	else if (status)
		fprintf(out, "(exit status %d)\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void run_program(FILE *out, const char *const *words)
{
	char *argv[ARGS_MAX + 3] = {"timeout", "20"};
	char title[256] = "";

	for (unsigned i = 0; words[i]; i++) {
		argv[i + 2] = (char *)words[i];
		snprintf(title + strlen(title), sizeof(title) - strlen(title), "%s%s", i ? " " : "",
			words[i]);
	}
	run(out, "timeout", argv, title);
}

// posternctl itself, in JSON. A command of two words is two arguments.
static void run_command(const struct cli *cli, FILE *out, const char *const *words)
{
	char *argv[ARGS_MAX + 8] = {"posternctl", "--json", "--socket", (char *)cli->socket};
	char name[64], title[128];
	unsigned count = 4;

	snprintf(name, sizeof(name), "%s", words[0]);
	snprintf(title, sizeof(title), "posternctl %s", words[0]);
	for (char *rest = name, *word; (word = strsep(&rest, " "));)
		argv[count++] = word;
	for (unsigned i = 1; words[i]; i++)
		argv[count++] = (char *)words[i];
	run(out, SELF, argv, title);
}

// Returns whether it is one. Otherwise nothing of it is shown: lines of mistakes have values.
static bool put_configuration(FILE *out, const char *path)
{
	char *text = NULL, *mistakes = NULL;
	size_t len, mistakes_len;
	struct conf *conf = NULL;
	FILE *errors = open_memstream(&mistakes, &mistakes_len);
	FILE *lines = open_memstream(&text, &len);
	int rc = errors && lines ? conf_load(path, &conf, errors) : -ENOMEM;

	fprintf(out, "\n== configuration %s, without comments and values of headers\n", path);
	if (!rc) {
		rc = conf_print_redacted(conf, lines);
		conf_free(conf);
	}
	if (lines && fclose(lines) == 0 && !rc)
		fputs(text, out);
	else
		fprintf(out, "(it cannot be shown; posternctl check %s says why)\n", path);
	if (errors)
		fclose(errors);
	free(mistakes);
	free(text);
	return !rc;
}

static void put_all(const struct cli *cli, FILE *out)
{
	const char *path = cli->given & CLI_CONFIG ? cli->config : CONF_PATH_DEFAULT;
	char now[64];
	time_t seconds = time(NULL);

	strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime(&seconds));
	fprintf(out, "postern support, made at %s by posternctl " POSTERN_VERSION "\n", now);
	const char *const preflight[] = {"preflight", path, NULL};

	if (put_configuration(out, path))
		run_command(cli, out, preflight);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		run_command(cli, out, commands[i]);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		run_program(out, programs[i]);
}

int cli_support(struct cli *cli, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_APPEND, 0600);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "a");

	if (!out) {
		cli_complain("%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return CLI_FAILED;
	}
	put_all(cli, out);
	const bool bad = ferror(out);

	// Why the first write failed is not known any more.
	if (fclose(out) || bad) {
		cli_complain("%s: cannot be written whole: is the disk full?", path);
		return CLI_FAILED;
	}
	printf("%s: made. It has no keys, and names of devices, servers and networks: look at it "
	       "before\nyou pass it on.\n",
		path);
	return CLI_OK;
}
