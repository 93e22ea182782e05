// SPDX-License-Identifier: BSD-3-Clause
// posternctl: reads the command line and runs the command.

#include "gw/os/standard_fds.h"
#include "gw/tools/ctl/commands.h"
#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/help.h"
#include "gw/tools/ctl/values.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MAX_S 86400
#define COUNT_MAX     1000000000
#define OPTIONS_MAX   96 // with the end

enum {
	OPTION_FIRST = 256,
	OPTION_SOCKET,
	OPTION_TIMEOUT,
	OPTION_VERSION,
	OPTION_SETTING,
	OPTION_MASK = OPTION_SETTING + DEVICE_ATTRIBUTES_MAX
};

// Those for the settings of a device. The value of each is OPTION_SETTING + its number.
static void options_of_settings(struct option longs[DEVICE_ATTRIBUTES_MAX])
{
	static char names[DEVICE_ATTRIBUTES_MAX][CLI_SETTING_NAME_MAX];

	for (unsigned i = 0; i < device_attribute_count; i++) {
		if (device_attributes[i].setting)
			*longs++ = (struct option){
				.name = cli_setting_name(names[i], &device_attributes[i]),
				.has_arg = required_argument,
				.val = OPTION_SETTING + i,
			};
	}
}

// Those of every command, those of the table, and those for settings. The value of one of the table
// is OPTION_MASK + the enum cli_option.
static void options_make(struct option longs[OPTIONS_MAX])
{
	static const struct option common[] = {
		{"socket", required_argument, NULL, OPTION_SOCKET},
		{"timeout", required_argument, NULL, OPTION_TIMEOUT},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, OPTION_VERSION},
	};
	const unsigned count = sizeof(common) / sizeof(common[0]);

	assert(count + cli_option_count + DEVICE_ATTRIBUTES_MAX < OPTIONS_MAX);
	memcpy(longs, common, sizeof(common));
	for (unsigned i = 0; i < cli_option_count; i++)
		longs[count + i] = (struct option){
			.name = cli_options[i].name,
			.has_arg = cli_options[i].value ? required_argument : no_argument,
			.val = OPTION_MASK + (int)cli_options[i].option,
		};
	options_of_settings(longs + count + cli_option_count);
}

static bool timeout_parse(struct cli *cli, const char *text)
{
	const bool has_unit = text[0] && strspn(text, "0123456789") < strlen(text);

	cli->timeout_given = true;
	if (has_unit ? !cli_duration_parse(text, &cli->timeout_s)
		     : !cli_number_parse(text, &cli->timeout_s))
		return false;
	if (has_unit)
		cli->timeout_s = cli->timeout_s / 1000 + (cli->timeout_s % 1000 != 0);
	if (cli->timeout_s > TIMEOUT_MAX_S)
		cli_complain("--timeout: must be at most %d", TIMEOUT_MAX_S);
	return cli->timeout_s <= TIMEOUT_MAX_S;
}

static bool count_parse(const char *option, const char *text, uint64_t *value)
{
	if (!cli_number_parse(text, value))
		return false;
	if (*value == 0 || *value > COUNT_MAX)
		cli_complain("%s: must be 1 to %d", option, COUNT_MAX);
	return *value > 0 && *value <= COUNT_MAX;
}

// Takes an option. False after a complaint.
static bool option_take(struct cli *cli, unsigned option, const char *value)
{
	cli->given |= option;
	switch (option) {
	case CLI_WORKER:
		return cli_number_parse(value, &cli->worker);
	case CLI_LIMIT:
		return count_parse("--limit", value, &cli->limit);
	case CLI_AFTER:
		cli->after = value;
		return true;
	case CLI_STATE:
		cli->state = value;
		return true;
	case CLI_POLICY:
		cli->policy = value;
		cli->setting[device_attribute("policy", strlen("policy")) - device_attributes] =
			value;
		return true;
	case CLI_IDLE:
		return cli_duration_parse(value, &cli->idle_ms);
	case CLI_RETURN:
		return cli_duration_parse(value, &cli->return_ms);
	case CLI_FROM:
		cli->from = value;
		return true;
	case CLI_REASON:
		cli->reason = value;
		return true;
	case CLI_OUT:
		cli->out = value;
		return true;
	case CLI_DEVICE:
		cli->device = value;
		return true;
	case CLI_PORT:
		cli->port = value;
		return true;
	case CLI_COUNT:
		return count_parse("--count", value, &cli->count);
	case CLI_SECONDS:
		return count_parse("--seconds", value, &cli->seconds);
	case CLI_MAX_AGE:
		return count_parse("--max-age", value, &cli->max_age_s);
	case CLI_MEGABYTES:
		return count_parse("--megabytes", value, &cli->megabytes);
	case CLI_CONFIG:
		cli->config = value;
		return true;
	case CLI_FORMAT:
		cli->format = value;
		return true;
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
	const char *optional = strchr(command->arguments, '[');
	const unsigned least = optional == command->arguments ? 0 : wanted - (optional != NULL);
	int ret;

	if (count > wanted || count < least) {
		cli_complain("%s takes %s; see posternctl %s --help", command->name,
			wanted ? command->arguments : "no argument", command->name);
		return CLI_USAGE;
	}
	for (unsigned i = 0; i < cli_option_count; i++) {
		if (cli->given & ~command->options & cli_options[i].option) {
			char usage[CLI_OPTION_USAGE_MAX];

			cli_complain("%s does not take %s", command->name,
				cli_option_usage(usage, &cli_options[i]));
			return CLI_USAGE;
		}
	}
	if (cli->given & ~command->options & CLI_SETTINGS) {
		cli_complain("%s does not take settings of a device", command->name);
		return CLI_USAGE;
	}
	if (!cli->timeout_given)
		cli->timeout_s =
			command->options & CLI_PATIENT ? CLI_TIMEOUT_PATIENT_S : CLI_TIMEOUT_S;
	cli->second = count > 1 ? arguments[1] : NULL;
	ret = command->run(cli, count ? arguments[0] : NULL);
	ctl_client_close(&cli->client);
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
	if (count == 0 && help) {
		cli_help();
		return CLI_OK;
	}
	for (unsigned i = 0; i < cli_command_count; i++) {
		unsigned used = command_match(&cli_commands[i], words, count);

		if (used && !help)
			return command_run(cli, &cli_commands[i], words + used, count - used);
		if (used) {
			cli_help_command(&cli_commands[i]);
			return CLI_OK;
		}
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
	struct cli cli = {
		.socket = socket && socket[0] ? socket : CTL_SOCKET_DEFAULT, .client.fd = -1};
	bool help = false;
	struct option longs[OPTIONS_MAX] = {0};
	int option;

	options_make(longs);
	if (standard_fds_take())
		return CLI_FAILED; // there is no descriptor to complain on
	if (sodium_init() < 0) {
		cli_complain("libsodium does not start");
		return CLI_FAILED;
	}
	while ((option = getopt_long(argc, argv, "hjn:o:", longs, NULL)) != -1) {
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
		case 'n':
			if (!option_take(&cli, CLI_COUNT, optarg))
				return CLI_USAGE;
			break;
		case 'o':
			if (!option_take(&cli, CLI_OUT, optarg))
				return CLI_USAGE;
			break;
		case OPTION_VERSION:
			puts("posternctl " POSTERN_VERSION);
			return output_finish(CLI_OK);
		case '?':
			return CLI_USAGE; // getopt_long() has complained
		default:
			if (option < OPTION_MASK) {
				cli.given |= CLI_SETTINGS;
				cli.setting[option - OPTION_SETTING] = optarg;
			} else if (!option_take(&cli, option - OPTION_MASK, optarg)) {
				return CLI_USAGE;
			}
		}
	}
	return output_finish(words_run(&cli, argv + optind, argc - optind, help));
}
