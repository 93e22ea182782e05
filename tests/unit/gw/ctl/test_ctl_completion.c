// SPDX-License-Identifier: BSD-3-Clause
// The manual page, --help and the completion of bash know all commands and options of posternctl.

#include "gw/tools/ctl/commands.h"
#include "gw/tools/ctl/help.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static char out[65536];

// Whether each of these stands in a file.
static void expect_in(const char *path, const char *const *words)
{
	FILE *file = fopen(path, "r");

	cr_assert(file, "%s", path);
	memset(out, 0, sizeof(out));
	cr_assert(fread(out, 1, sizeof(out) - 1, file) > 0);
	fclose(file);
	for (; *words; words++)
		cr_expect(strstr(out, *words), "%s: no %s", path, *words);
}

Test(ctl_completion, manual_help_and_completion_know_all)
{
	static const char *const common[] = {
		"--socket", "--timeout", "--json", "--help", "--version"};
	const unsigned common_count = sizeof(common) / sizeof(common[0]);
	char names[64][40];
	const char *options[64] = {0}, *commands[64] = {0};

	cr_assert_lt(common_count + cli_option_count + device_attribute_count, 64);
	cr_assert_lt(cli_command_count, 64);
	memcpy(options, common, sizeof(common));
	for (unsigned i = 0; i < cli_option_count; i++) {
		snprintf(names[i], sizeof(names[i]), "--%s", cli_options[i].name);
		options[common_count + i] = names[i];
	}
	for (unsigned i = 0, at = common_count + cli_option_count; i < device_attribute_count;
		i++) {
		char name[CLI_SETTING_NAME_MAX];

		if (device_attributes[i].setting) {
			snprintf(names[at], sizeof(names[at]), "--%s",
				cli_setting_name(name, &device_attributes[i]));
			options[at] = names[at];
			at++;
		}
	}
	for (unsigned i = 0; i < cli_command_count; i++)
		commands[i] = cli_commands[i].name;
	expect_in(DOCS "/posternctl.1.scd", commands);
	expect_in(DOCS "/posternctl.1.scd", options);
	expect_in(COMPLETION, options);
	FILE *help = popen(POSTERNCTL " --help", "r");
	cr_assert_not_null(help);
	memset(out, 0, sizeof(out));
	cr_assert(fread(out, 1, sizeof(out) - 1, help) > 0);
	cr_expect_eq(pclose(help), 0);
	for (unsigned i = 0; i < cli_command_count; i++) {
		const char *last = strrchr(commands[i], ' ');

		cr_expect(strstr(out, commands[i]), "no %s in the help", commands[i]);
		commands[i] = last ? last + 1 : commands[i];
	}
	expect_in(COMPLETION, commands);
}

static void completion_passes_over(const char *option)
{
	char command[512], words[128] = "";

	snprintf(command, sizeof(command),
		"bash -c '. %s; COMP_WORDS=(posternctl --%s 5 store \"\") COMP_CWORD=4; "
		"_posternctl; echo \"${COMPREPLY[*]}\"'",
		COMPLETION, option);
	FILE *bash = popen(command, "r");

	cr_assert_not_null(bash);
	cr_expect_not_null(fgets(words, sizeof(words), bash));
	cr_expect_eq(pclose(bash), 0);
	cr_expect_str_eq(words, "check backup adopt\n", "--%s: %s", option, words);
}

// The value of an option is not taken for a word of the command.
Test(ctl_completion, values_are_passed_over)
{
	completion_passes_over("socket");
	completion_passes_over("timeout");
	for (unsigned i = 0; i < cli_option_count; i++) {
		if (cli_options[i].value)
			completion_passes_over(cli_options[i].name);
	}
	for (unsigned i = 0; i < device_attribute_count; i++) {
		char name[CLI_SETTING_NAME_MAX];

		if (device_attributes[i].setting)
			completion_passes_over(cli_setting_name(name, &device_attributes[i]));
	}
}
