// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/help.h"

#include <stdio.h>
#include <string.h>

const char *cli_option_usage(char usage[CLI_OPTION_USAGE_MAX], const struct cli_option_info *option)
{
	snprintf(usage, CLI_OPTION_USAGE_MAX, "--%s%s%s", option->name, option->value ? " " : "",
		option->value ? option->value : "");
	return usage;
}

const char *cli_setting_name(
	char name[CLI_SETTING_NAME_MAX], const struct device_attribute *attribute)
{
	snprintf(name, CLI_SETTING_NAME_MAX, "%s", attribute->name);
	for (char *c = name; *c != 0; c++)
		if (*c == '_')
			*c = '-';
	return name;
}

static void print_settings(void)
{
	for (unsigned i = 0; i < device_attribute_count; i++) {
		const struct device_attribute *attribute = &device_attributes[i];
		char name[CLI_SETTING_NAME_MAX], usage[CLI_OPTION_USAGE_MAX];

		if (!attribute->setting)
			continue;
		snprintf(usage, sizeof(usage), "--%s %s", cli_setting_name(name, attribute),
			attribute->usage);
		printf("  %-20s %s\n", usage, attribute->help);
	}
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

void cli_help(void)
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
}

void cli_help_command(const struct cli_command *command)
{
	printf("usage: posternctl %s%s%s%s\n\n%s\n", command->name,
		command->options & ~CLI_PATIENT ? " [OPTIONS]" : "",
		command->arguments[0] ? " " : "", command->arguments, command->help);
	if (command->details)
		printf("\n%s", command->details);
	puts("\nOptions:");
	for (unsigned i = 0; i < cli_option_count; i++) {
		char usage[CLI_OPTION_USAGE_MAX];

		// Among the settings it says something else.
		if (cli_options[i].option == CLI_POLICY && command->options & CLI_SETTINGS)
			continue;
		if (command->options & cli_options[i].option)
			printf("  %-20s %s\n", cli_option_usage(usage, &cli_options[i]),
				cli_options[i].help);
	}
	if (command->options & CLI_SETTINGS)
		print_settings();
	print_common_help();
}
