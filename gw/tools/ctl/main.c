// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/conf.h"
#include "gw/os/standard_fds.h"
#include "gw/tools/ctl/cli.h"

#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MAX_S 86400

const struct cli_command cli_commands[] = {
	{"status", "", 0, cli_status, "state of ports, workers, devices and upstreams", NULL},
	{"stats", "", CLI_ALL | CLI_WORKER, cli_stats, "counters that are not 0", NULL},
	{"device add", "FILE", CLI_NEVER_USED | CLI_REPLACE, cli_device_add, "add a device",
		"FILE, or standard input if it is -, holds one JSON object as in an import:\n"
		"\n"
		"  {\"name\": \"pump-7\", \"device_id\": \"0a\", \"gateway_id\": \"01\",\n"
		"   \"master_secret\": \"0102030405060708090a0b0c0d0e0f10\", \"never_used\": "
		"true}\n"
		"\n"
		"Secrets have no options, because other users could read the command line.\n"},
	{"device import", "FILE", CLI_FORMAT | CLI_NEVER_USED | CLI_REPLACE | CLI_PATIENT,
		cli_device_import, "add all devices of a file, or none",
		"FILE, or standard input if it is -, is CSV or JSON; docs/import.md describes "
		"both.\n"
		"It is opened by posternctl, so the daemon needs no permission for it.\n"},
	{"device list", "", CLI_LIMIT | CLI_AFTER, cli_device_list, "devices in the order of names",
		NULL},
	{"device show", "NAME", 0, cli_device_show, "state of a device, its reason and remedy",
		NULL},
	{"device remove", "NAME", 0, cli_device_remove, "remove a device and its keys", NULL},
	{"device resync", "NAME", CLI_FROM, cli_device_resync,
		"forget which sequence numbers it has used",
		"A device that answers Echo challenges is challenged at its next request. One "
		"with\n"
		"recovery: floor goes on at --from, its next sequence number: older ones must "
		"never\n"
		"be accepted again, so take it from the device itself.\n"},
	{"device rotate", "NAME FILE", CLI_NEVER_USED, cli_device_rotate,
		"give a device other keys, and other ids if FILE says so",
		"FILE is as for \"device add\". Requests in flight are abandoned; the old keys "
		"can\n"
		"never be never_used again. recovery, own_piv and limits stay unless FILE says "
		"them.\n"},
	{"store check", "", CLI_PATIENT, cli_store_check, "look for damage in the device store",
		NULL},
	{"store backup", "FILE", CLI_PATIENT, cli_store_backup,
		"copy the device store while it is used",
		"The daemon writes the copy; FILE must not be there. It opens only by store "
		"adopt,\n"
		"and needs the key-encryption key, which is kept elsewhere.\n"},
	{"store adopt", "", CLI_CONFIG, cli_store_adopt,
		"make a copy of a store the one that lives on; needs no daemon",
		"For a store that postern refuses as an old copy, a backup, or of another "
		"machine.\n"
		"The original must never run again.\n"},
	{"events", "", 0, cli_events, "tell what happens from now on, until it is interrupted",
		NULL},
	{"shutdown", "", CLI_PATIENT, cli_shutdown,
		"stop the daemon, and wait until it has stopped", NULL},
	{"check", "FILE", CLI_NO_FILES, cli_check, "check a configuration file; needs no daemon",
		"Also whether the files, directories and groups that it names are there and can "
		"be\nused, with the rights of whoever asks.\n"},
	{"key create", "FILE", 0, cli_key_create,
		"make a key-encryption key for the device store; needs no daemon", NULL},
};
const unsigned cli_command_count = sizeof(cli_commands) / sizeof(cli_commands[0]);

enum { OPTION_FIRST = 256, OPTION_SOCKET, OPTION_TIMEOUT, OPTION_VERSION, OPTION_MASK };

// The value of an option that not every command takes is OPTION_MASK + its enum cli_option.
static const struct option options[] = {
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"all", no_argument, NULL, OPTION_MASK + CLI_ALL},
	{"worker", required_argument, NULL, OPTION_MASK + CLI_WORKER},
	{"limit", required_argument, NULL, OPTION_MASK + CLI_LIMIT},
	{"after", required_argument, NULL, OPTION_MASK + CLI_AFTER},
	{"format", required_argument, NULL, OPTION_MASK + CLI_FORMAT},
	{"never-used", no_argument, NULL, OPTION_MASK + CLI_NEVER_USED},
	{"replace", no_argument, NULL, OPTION_MASK + CLI_REPLACE},
	{"from", required_argument, NULL, OPTION_MASK + CLI_FROM},
	{"config", required_argument, NULL, OPTION_MASK + CLI_CONFIG},
	{"no-files", no_argument, NULL, OPTION_MASK + CLI_NO_FILES},
	{NULL, 0, NULL, 0},
};

static const struct {
	unsigned option;
	const char *usage, *help;
} option_helps[] = {
	{CLI_ALL, "--all", "counters that are 0 too"},
	{CLI_WORKER, "--worker N", "counters of one worker"},
	{CLI_LIMIT, "--limit N", "at most N devices"},
	{CLI_AFTER, "--after NAME", "only devices behind this one"},
	{CLI_FORMAT, "--format csv|json", "instead of guessing from the first character"},
	{CLI_NEVER_USED, "--never-used", "keys without gateway_seq were in no gateway before"},
	{CLI_REPLACE, "--replace",
		"retire devices with other keys, change those with other limits"},
	{CLI_FROM, "--from M", "next sequence number of a device with recovery: floor"},
	{CLI_NO_FILES, "--no-files", "do not look at what the configuration names"},
	{CLI_CONFIG, "--config FILE", "configuration (default " CONF_PATH_DEFAULT ")"},
};

void cli_complain(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("posternctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	putc('\n', stderr);
}

static void print_common_help(void)
{
	printf("  %-20s socket of the daemon (default %s,\n"
	       "  %-20s or what POSTERN_SOCKET says)\n"
	       "  %-20s longest silence of the daemon (default %d, or %d for what\n"
	       "  %-20s takes long; 0: for ever)\n"
	       "  %-20s the daemon's answer as JSON, byte strings in hex\n"
	       "  %-20s this text; after a command, about that\n",
		"--socket PATH", CTL_SOCKET_DEFAULT, "", "--timeout SECONDS", CLI_TIMEOUT_S,
		CLI_TIMEOUT_PATIENT_S, "", "-j, --json", "-h, --help");
}

static int print_help(void)
{
	puts("usage: posternctl [--socket PATH] [--timeout SECONDS] [--json] COMMAND\n\nCommands:");
	for (unsigned i = 0; i < cli_command_count; i++)
		printf("  %s %-*s %s\n", cli_commands[i].name,
			(int)(23 - strlen(cli_commands[i].name)), cli_commands[i].arguments,
			cli_commands[i].help);
	puts("\nOptions:");
	print_common_help();
	printf("  %-20s version of posternctl\n", "--version");
	puts("\nExit code: 0 done, 1 refused or failed, 2 wrong usage, 3 no connection.");
	return CLI_OK;
}

static int print_command_help(const struct cli_command *command)
{
	printf("usage: posternctl %s%s%s%s\n\n%s\n", command->name,
		command->options & ~CLI_PATIENT ? " [OPTIONS]" : "",
		command->arguments[0] ? " " : "", command->arguments, command->help);
	if (command->details)
		printf("\n%s", command->details);
	puts("\nOptions:");
	for (size_t i = 0; i < sizeof(option_helps) / sizeof(option_helps[0]); i++) {
		if (command->options & option_helps[i].option)
			printf("  %-20s %s\n", option_helps[i].usage, option_helps[i].help);
	}
	print_common_help();
	return CLI_OK;
}

static bool number_parse(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0)
		return true;
	cli_complain("%s: not a number", text);
	return false;
}

static bool timeout_parse(struct cli *cli, const char *text)
{
	cli->timeout_given = true;
	if (!number_parse(text, &cli->timeout_s))
		return false;
	if (cli->timeout_s > TIMEOUT_MAX_S)
		cli_complain("--timeout: must be at most %d", TIMEOUT_MAX_S);
	return cli->timeout_s <= TIMEOUT_MAX_S;
}

// Takes an option. False after a complaint.
static bool option_take(struct cli *cli, unsigned option, const char *value)
{
	cli->given |= option;
	switch (option) {
	case CLI_WORKER:
		return number_parse(value, &cli->worker);
	case CLI_LIMIT:
		if (!number_parse(value, &cli->limit))
			return false;
		if (cli->limit == 0)
			cli_complain("--limit: must be 1 or more");
		return cli->limit > 0;
	case CLI_AFTER:
		cli->after = value;
		return true;
	case CLI_FROM:
		return number_parse(value, &cli->from);
	case CLI_CONFIG:
		cli->config = value;
		return true;
	case CLI_FORMAT:
		cli->format = value;
		if (strcmp(value, "csv") == 0 || strcmp(value, "json") == 0)
			return true;
		cli_complain("--format: csv or json");
		return false;
	default:
		return true;
	}
}

// How many of the words are the command's name; 0 if it is another.
static unsigned command_match(const struct cli_command *command, char **words, unsigned count)
{
	char name[64] = "";

	for (unsigned i = 0; i < count && i < 2; i++) {
		snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s%s", i ? " " : "",
			words[i]);
		if (strcmp(name, command->name) == 0)
			return i + 1;
	}
	return 0;
}

static int command_run(
	struct cli *cli, const struct cli_command *command, char **arguments, unsigned count)
{
	unsigned wanted = command->arguments[0] == 0 ? 0 : strchr(command->arguments, ' ') ? 2 : 1;
	int ret;

	if (count != wanted) {
		cli_complain("%s takes %s; see posternctl %s --help", command->name,
			wanted ? command->arguments : "no argument", command->name);
		return CLI_USAGE;
	}
	for (size_t i = 0; i < sizeof(option_helps) / sizeof(option_helps[0]); i++) {
		if (cli->given & ~command->options & option_helps[i].option) {
			cli_complain("%s does not take %s", command->name, option_helps[i].usage);
			return CLI_USAGE;
		}
	}
	if (!cli->timeout_given)
		cli->timeout_s =
			command->options & CLI_PATIENT ? CLI_TIMEOUT_PATIENT_S : CLI_TIMEOUT_S;
	cli->second = wanted > 1 ? arguments[1] : NULL;
	ret = command->run(cli, wanted ? arguments[0] : NULL);
	cli_disconnect(cli);
	return ret;
}

// What could not be written must not look like success.
static int output_finish(int ret)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return ret;
	fprintf(stderr, "posternctl: standard output: %s\n", strerror(errno));
	return ret ? ret : CLI_FAILED;
}

static int words_run(struct cli *cli, char **words, unsigned count, bool help)
{
	if (count == 0 && help)
		return print_help();
	for (unsigned i = 0; i < cli_command_count; i++) {
		unsigned used = command_match(&cli_commands[i], words, count);

		if (used)
			return help
				? print_command_help(&cli_commands[i])
				: command_run(cli, &cli_commands[i], words + used, count - used);
	}
	if (count == 0)
		cli_complain("no command; see posternctl --help");
	else
		cli_complain("%s%s%s: no such command; see posternctl --help", words[0],
			count > 1 ? " " : "", count > 1 ? words[1] : "");
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	const char *socket = getenv("POSTERN_SOCKET");
	struct cli cli = {.socket = socket && socket[0] ? socket : CTL_SOCKET_DEFAULT, .fd = -1};
	bool help = false;
	int option;

	if (standard_fds_take())
		return CLI_FAILED; // there is nobody to tell
	if (sodium_init() < 0) {
		cli_complain("libsodium does not start");
		return CLI_FAILED;
	}
	while ((option = getopt_long(argc, argv, "hj", options, NULL)) != -1) {
		switch (option) {
		case OPTION_SOCKET:
			cli.socket = optarg;
			break;
		case OPTION_TIMEOUT:
			if (!timeout_parse(&cli, optarg))
				return CLI_USAGE;
			break;
		case 'j':
			cli.json = true;
			break;
		case 'h':
			help = true;
			break;
		case OPTION_VERSION:
			puts("posternctl " POSTERN_VERSION);
			return output_finish(CLI_OK);
		case '?':
			return CLI_USAGE; // getopt_long() has complained
		default:
			if (!option_take(&cli, option - OPTION_MASK, optarg))
				return CLI_USAGE;
		}
	}
	return output_finish(words_run(&cli, argv + optind, argc - optind, help));
}
