// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/preflight.h"

#include "gw/preflight/preflight.h"
#include "gw/store/kek.h"
#include "gw/store/schema.h"
#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/json.h"
#include "gw/tools/ctl/local.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATABASE_VERSION 60 // offset of user_version in a file of SQLite

static const char *const level_name[] = {
	[PREFLIGHT_OK] = "ok",
	[PREFLIGHT_WARNING] = "warning",
	[PREFLIGHT_PROBLEM] = "problem",
};

// The program `postern` beside this one, which knows DPDK, computes what it needs.
static void ask_needs(struct preflight *preflight, const char *conf_path)
{
	char path[PATH_MAX], line[128];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 16);
	char *slash = len < 0 ? NULL : memrchr(path, '/', (size_t)len);
	char *const argv[] = {path, "--needs", "--config", (char *)conf_path, NULL};
	posix_spawn_file_actions_t actions;
	int pipes[2], status;
	pid_t pid;

	if (!slash || pipe2(pipes, O_CLOEXEC))
		return;
	memcpy(slash + 1, "postern", sizeof("postern"));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
	int rc = posix_spawn(&pid, path, &actions, NULL, argv, environ);

	posix_spawn_file_actions_destroy(&actions);
	close(pipes[1]);
	FILE *in = fdopen(pipes[0], "r");

	while (in && !rc && fgets(line, sizeof(line), in)) {
		sscanf(line, "memory_mb %" SCNu64, &preflight->memory_mb);
		sscanf(line, "descriptors %" SCNu64, &preflight->descriptors);
	}
	if (in)
		fclose(in);
	else
		close(pipes[0]);
	if (!rc)
		waitpid(pid, &status, 0);
	if (rc || !preflight->memory_mb)
		preflight_add(preflight, PREFLIGHT_WARNING, "memory",
			"%s does not tell what it needs: huge pages and descriptors are not "
			"compared",
			path);
}

// The version of a store's database, 0 if there is none.
static uint32_t store_version(const struct conf *conf)
{
	char path[PATH_MAX];
	uint8_t bytes[4] = {0};

	snprintf(path, sizeof(path), "%s/devices.db", conf->devices.store);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : 1; // there is one, and it is not ours to read
	ssize_t len = pread(fd, bytes, sizeof(bytes), DATABASE_VERSION);

	close(fd);
	return len != sizeof(bytes) ? 0
				    : (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
			(uint32_t)bytes[2] << 8 | bytes[3];
}

static void look_at_store(struct preflight *preflight)
{
	const struct conf *conf = preflight->conf;
	const bool credential = !conf->devices.kek && !getenv("CREDENTIALS_DIRECTORY");
	const char *path = credential ? KEK_OF_UNIT : conf->devices.kek;
	const uint32_t version = store_version(conf);
	struct error error = {0};
	struct kek *kek = NULL;
	int rc = kek_load(path, &kek, &error);

	kek_free(kek);
	if (rc == -ENOENT && version)
		preflight_add(preflight, PREFLIGHT_PROBLEM, "key",
			"there is a store in %s and no key: put its key back to %s, no other opens "
			"it",
			conf->devices.store, path ? path : KEK_OF_UNIT);
	else if (rc == -ENOENT)
		preflight_remedy(
			preflight_add(preflight, PREFLIGHT_PROBLEM, "key", "%s", error.text),
			"posternctl key create %s", path ? path : KEK_OF_UNIT);
	else if (rc == -EACCES && credential && geteuid() != 0)
		preflight_add(preflight, PREFLIGHT_WARNING, "key",
			"only root can look at %s: systemd reads it for the unit", path);
	else if (rc)
		preflight_add(preflight, PREFLIGHT_PROBLEM, "key", "%s", error.text);
	else
		preflight_add(preflight, PREFLIGHT_OK, "key", "%s",
			path ? path : "the systemd credential");
	if (version > STORE_VERSION)
		preflight_add(preflight, PREFLIGHT_PROBLEM, "store",
			"it has version %u, made by a newer postern; this one knows %d", version,
			STORE_VERSION);
}

// Each line of what a check of files says is a problem.
static void add_problems(struct preflight *preflight, char *text, const char *behind)
{
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		preflight_add(preflight, PREFLIGHT_PROBLEM, "files", "%s%s", line, behind);
}

// Becomes this user, and writes what that cannot read of the files that the configuration names.
// Returns whether it could be found out.
static bool check_as(const struct conf *conf, const struct passwd *user, int fd)
{
	FILE *lines = fdopen(fd, "w");

	if (!lines || initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid) ||
		setuid(user->pw_uid))
		return false;
	const int rc = conf_check_reads(conf, lines);

	return !fclose(lines) && rc != -ENOMEM;
}

static void read_all(int fd, char *text, size_t room)
{
	size_t len = 0;
	ssize_t n;

	while (len < room - 1 && (n = read(fd, text + len, room - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
}

// The unit's daemon is the user whose the store is, which cannot read what root can. Returns
// whether it can read all.
static bool look_as_daemon(struct preflight *preflight)
{
	char text[PREFLIGHT_TEXT_MAX * 4], behind[128];
	int pipes[2], status = -1;
	struct stat st;

	if (geteuid() != 0 || stat(preflight->conf->devices.store, &st) || st.st_uid == 0)
		return true;
	const struct passwd *user = getpwuid(st.st_uid);

	if (!user || pipe2(pipes, O_CLOEXEC))
		return true;
	const pid_t pid = fork();

	if (pid == 0)
		_exit(!check_as(preflight->conf, user, pipes[1]));
	close(pipes[1]);
	read_all(pipes[0], text, sizeof(text));
	close(pipes[0]);
	const bool looked = pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
	const bool good = looked && !text[0];

	if (!looked && !text[0])
		preflight_add(preflight, PREFLIGHT_WARNING, "files",
			"what the user %s can read could not be found out", user->pw_name);
	snprintf(behind, sizeof(behind), ": not by the user %s, whose the store is", user->pw_name);
	add_problems(preflight, text, behind);
	return good;
}

// Credentials of the unit, which only its processes see.
static void look_at_credentials(struct preflight *preflight)
{
	const struct conf_edhoc *edhoc = &preflight->conf->edhoc;

	for (size_t i = 0; i < edhoc->identity_count && !getenv("CREDENTIALS_DIRECTORY"); i++)
		if (!strncmp(edhoc->identity[i], CONF_CREDENTIAL, strlen(CONF_CREDENTIAL)))
			preflight_remedy(
				preflight_add(preflight, PREFLIGHT_WARNING, "files",
					"edhoc.identity[%zu]: only the unit sees its credential %s",
					i, edhoc->identity[i] + strlen(CONF_CREDENTIAL)),
				"systemctl cat postern | grep LoadCredential=");
}

static void look_at_files(struct preflight *preflight)
{
	char *text = NULL;
	size_t len;
	FILE *lines = open_memstream(&text, &len);

	if (!lines)
		return;
	int rc = cli_check_files(preflight->conf, lines);

	if (fclose(lines) || !text)
		return;
	add_problems(preflight, text, "");
	look_at_credentials(preflight);
	if (!rc && look_as_daemon(preflight))
		preflight_add(preflight, PREFLIGHT_OK, "files",
			"what the configuration names is there and can be used");
	free(text);
}

static void print_json(const struct preflight *preflight)
{
	for (unsigned i = 0; i < preflight->count; i++) {
		const struct preflight_finding *finding = &preflight->finding[i];

		printf("%s{\"level\":\"%s\",\"topic\":", i ? ",\n " : "[",
			level_name[finding->level]);
		cli_json_text(stdout, finding->topic);
		printf(",\"message\":");
		cli_json_text(stdout, finding->text);
		if (finding->remedy[0]) {
			printf(",\"remedy\":");
			cli_json_text(stdout, finding->remedy);
		}
		putchar('}');
	}
	puts(preflight->count ? "]" : "[]");
}

static void print_lines(const struct preflight *preflight)
{
	unsigned count[3] = {0};

	for (unsigned i = 0; i < preflight->count; i++) {
		const struct preflight_finding *finding = &preflight->finding[i];

		count[finding->level]++;
		printf("%-8s %-13s %s\n", level_name[finding->level], finding->topic,
			finding->text);
		if (finding->remedy[0] && finding->level != PREFLIGHT_OK)
			printf("%-22s # %s\n", "", finding->remedy);
	}
	printf("%u problems, %u warnings: the gateway %s\n", count[PREFLIGHT_PROBLEM],
		count[PREFLIGHT_WARNING],
		count[PREFLIGHT_PROBLEM] ? "would not start" : "would start");
}

int cli_preflight(struct cli *cli, const char *argument)
{
	const char *path = argument ? argument : CONF_PATH_DEFAULT;
	struct timex clock = {0};
	struct conf *conf;

	if (conf_load(path, &conf, stderr) < 0)
		return CLI_FAILED;
	struct preflight *preflight = calloc(1, sizeof(*preflight));

	if (!preflight) {
		conf_free(conf);
		cli_complain("no memory");
		return CLI_FAILED;
	}
	preflight->conf = conf;
	preflight->root = "";
	preflight->clock_unsynchronised = adjtimex(&clock) == TIME_ERROR;
	ask_needs(preflight, path);
	preflight_machine(preflight);
	preflight_ports(preflight);
	look_at_store(preflight);
	look_at_files(preflight);
	if (cli->json)
		print_json(preflight);
	else
		print_lines(preflight);
	const bool starts = preflight_worst(preflight) != PREFLIGHT_PROBLEM;

	free(preflight);
	conf_free(conf);
	return starts ? CLI_OK : CLI_FAILED;
}
