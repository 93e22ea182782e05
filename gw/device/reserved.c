// SPDX-License-Identifier: BSD-3-Clause

#include "gw/device/reserved.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ID_CONTEXT_MAX 255

struct name {
	uint8_t kid_len, id_context_len;
	bool has_id_context;
	uint8_t kid[OSC_KID_LEN_MAX];
	uint8_t id_context[ID_CONTEXT_MAX];
};

struct device_reserved {
	pthread_mutex_t lock; // of all
	struct name *name;    // [count], sorted by kid
	size_t count;
	bool (*lent)(void *arg, const uint8_t *kid, uint8_t kid_len);
	void *arg;
};

struct device_reserved *device_reserved_new(void)
{
	struct device_reserved *reserved = calloc(1, sizeof(*reserved));

	if (reserved)
		pthread_mutex_init(&reserved->lock, NULL);
	return reserved;
}

void device_reserved_free(struct device_reserved *reserved)
{
	if (!reserved)
		return;
	pthread_mutex_destroy(&reserved->lock);
	free(reserved->name);
	free(reserved);
}

static int kid_compare(const struct name *name, const uint8_t *kid, uint8_t kid_len)
{
	if (name->kid_len != kid_len)
		return name->kid_len < kid_len ? -1 : 1;
	return memcmp(name->kid, kid, kid_len);
}

static int by_kid(const void *a, const void *b)
{
	const struct name *other = b;

	return kid_compare(a, other->kid, other->kid_len);
}

int device_reserved_set(
	struct device_reserved *reserved, const struct device_ids *names, size_t count)
{
	struct name *all = calloc(count ? count : 1, sizeof(*all)), *before;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		all[i].kid_len = names[i].kid_len;
		memcpy(all[i].kid, names[i].kid, names[i].kid_len);
		all[i].has_id_context = names[i].has_id_context;
		if (!names[i].has_id_context)
			continue;
		all[i].id_context_len = names[i].id_context_len;
		memcpy(all[i].id_context, names[i].id_context, names[i].id_context_len);
	}
	qsort(all, count, sizeof(*all), by_kid);
	pthread_mutex_lock(&reserved->lock);
	before = reserved->name;
	reserved->name = all;
	reserved->count = count;
	pthread_mutex_unlock(&reserved->lock);
	free(before);
	return 0;
}

static bool is_of(const struct name *name, const struct device_ids *device)
{
	if (!name->has_id_context || device->derives)
		return true;
	return device->has_id_context && name->id_context_len == device->id_context_len &&
		!memcmp(name->id_context, device->id_context, device->id_context_len);
}

static bool find(const struct device_reserved *reserved, const struct device_ids *device)
{
	size_t low = 0, high = reserved->count;

	while (low < high) { // to the first with this kid
		const size_t at = (low + high) / 2;

		if (kid_compare(&reserved->name[at], device->kid, device->kid_len) < 0)
			low = at + 1;
		else
			high = at;
	}
	for (; low < reserved->count &&
		!kid_compare(&reserved->name[low], device->kid, device->kid_len);
		low++)
		if (is_of(&reserved->name[low], device))
			return true;
	return false;
}

bool device_reserved_has(struct device_reserved *reserved, const struct device_ids *device)
{
	if (!reserved)
		return false;
	pthread_mutex_lock(&reserved->lock);
	const bool has = find(reserved, device);

	pthread_mutex_unlock(&reserved->lock);
	return has;
}

void device_reserved_lend(struct device_reserved *reserved,
	bool (*lent)(void *arg, const uint8_t *kid, uint8_t kid_len), void *arg)
{
	pthread_mutex_lock(&reserved->lock);
	reserved->lent = lent;
	reserved->arg = arg;
	pthread_mutex_unlock(&reserved->lock);
}

bool device_reserved_lent(struct device_reserved *reserved, const uint8_t *kid, uint8_t kid_len)
{
	if (!reserved)
		return false;
	pthread_mutex_lock(&reserved->lock);
	const bool lent = reserved->lent && reserved->lent(reserved->arg, kid, kid_len);

	pthread_mutex_unlock(&reserved->lock);
	return lent;
}
