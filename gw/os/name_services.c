// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/name_services.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWITCH_FILE "/etc/nsswitch.conf"
#define SERVICE_MAX 32 // bytes of the name of a module

static bool is_ours(const char *database)
{
	static const char *const ours[] = {"hosts:", "passwd:", "group:", "initgroups:"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!strcmp(database, ours[i]))
			return true;
	return false;
}

// Also of "files", which is part of the C library: there is no such module then.
static void module_load(const char *service)
{
	char name[sizeof("libnss_.so.2") + SERVICE_MAX];

	if (strlen(service) > SERVICE_MAX || !isalnum((unsigned char)service[0]) ||
		strchr(service, '/'))
		return;
	snprintf(name, sizeof(name), "libnss_%s.so.2", service);
	// It stays loaded.
	(void)dlopen(name, RTLD_NOW);
}

void name_services_load(void)
{
	FILE *in = fopen(SWITCH_FILE, "re");
	char *line = NULL;
	size_t room = 0;

	if (!in)
		return;
	while (getline(&line, &room, in) > 0) {
		char *rest = line;

		line[strcspn(line, "#\n")] = 0;
		const char *word = strtok_r(rest, " \t", &rest);

		if (!word || !is_ours(word))
			continue;
		// Actions stand in brackets: [NOTFOUND=return].
		while ((word = strtok_r(NULL, " \t", &rest)))
			module_load(word);
	}
	free(line);
	fclose(in);
}
