// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/policies.h"

#include "base/fnv.h"
#include "dataplane/shared/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64

// The place of a name, or the free one where it would be.
static unsigned place_of(const struct policies *policies, const char *name)
{
	unsigned at = fnv_text(name) & (policies->places - 1);

	while (policies->place[at] && strcmp(policies->named[policies->place[at]].name, name) != 0)
		at = (at + 1) & (policies->places - 1);
	return at;
}

// Makes room for one name more.
static int grow(struct policies *policies)
{
	unsigned room = policies->room ? 2 * policies->room : FIRST_ROOM;
	struct policy_name *named;
	uint16_t *place;

	if (policies->count < policies->room)
		return 0;
	named = realloc(policies->named, room * sizeof(*named));
	if (!named)
		return -ENOMEM;
	policies->named = named;
	place = calloc(2 * room, sizeof(*place));
	if (!place)
		return -ENOMEM;
	free(policies->place);
	policies->place = place;
	policies->places = 2 * room;
	policies->room = room;
	if (!policies->count)
		named[policies->count++] = (struct policy_name){.configured = true};
	for (unsigned i = 1; i < policies->count; i++)
		place[place_of(policies, named[i].name)] = (uint16_t)i;
	return 0;
}

uint16_t policies_find(const struct policies *policies, const char *name)
{
	uint16_t number = policies->places ? policies->place[place_of(policies, name)] : 0;

	return number ? number : DP_PERMIT_NOTHING;
}

// Returns 0, -ENOMEM or -ENOSPC.
static int take(struct policies *policies, const char *name, uint16_t *number)
{
	*number = policies_find(policies, name);
	if (*number != DP_PERMIT_NOTHING)
		return 0;
	if (policies->count == DP_PERMIT_OVER)
		return -ENOSPC;
	int rc = grow(policies);

	if (rc)
		return rc;
	*number = (uint16_t)policies->count++;
	struct policy_name *new = &policies->named[*number];

	*new = (struct policy_name){.devices = 0};
	memcpy(new->name, name, strnlen(name, DEVICE_POLICY_MAX));
	policies->place[place_of(policies, new->name)] = *number;
	return 0;
}

int policies_number(struct policies *policies, struct conf *conf)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < conf->policy_count; i++)
		rc = take(policies, conf->policies[i].name, &conf->policies[i].number);
	return rc;
}

void policies_configured(struct policies *policies, const struct conf *conf)
{
	for (unsigned i = 1; i < policies->count; i++)
		policies->named[i].configured = false;
	for (size_t i = 0; i < conf->policy_count; i++)
		policies->named[conf->policies[i].number].configured = true;
	policies->missing = policies->unnumbered;
	for (unsigned i = 1; i < policies->count; i++)
		if (!policies->named[i].configured)
			policies->missing += policies->named[i].devices;
	policies->told = false;
}

uint16_t policies_get(struct policies *policies, const char *name)
{
	uint16_t number = DP_PERMIT_ALL;

	// What has no number may do nothing.
	if (*name && take(policies, name, &number))
		number = DP_PERMIT_NOTHING;
	return number;
}

void policies_count(struct policies *policies, uint16_t number, int change)
{
	uint64_t missing = policies->missing;

	if (number == DP_PERMIT_ALL || number == DP_PERMIT_OVER)
		return;
	if (number == DP_PERMIT_NOTHING)
		policies->unnumbered += change;
	else
		policies->named[number].devices += change;
	if (!policies_is_configured(policies, number))
		policies->missing += change;
	if (!missing != !policies->missing)
		policies->told = false;
}

bool policies_is_configured(const struct policies *policies, uint16_t number)
{
	return number == DP_PERMIT_ALL ||
		(number < policies->count && policies->named[number].configured);
}

void policies_free(struct policies *policies)
{
	free(policies->named);
	free(policies->place);
	*policies = (struct policies){.count = 0};
}
