// SPDX-License-Identifier: BSD-3-Clause

#include "bench/load/devices.h"

#include "gw/device/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define READ_LEN (64 * 1024)

struct reader {
	const char *path;
	size_t max;
	union {
		struct csv csv;
		struct json json;
	};
	bool is_json;
	struct record record;
	struct device_spec spec;
	char data[READ_LEN];
};

// Room for one more. mmap'd memory grows without being copied, and keys stay in one place.
static int grow(struct load_devices *devices, struct error *f)
{
	const size_t size = sizeof(*devices->device);
	size_t room = devices->room ? devices->room * 2 : 1024;
	void *at;

	if (devices->count < devices->room)
		return 0;
	at = devices->room
		? mremap(devices->device, devices->room * size, room * size, MREMAP_MAYMOVE)
		: mmap(NULL, room * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);
	if (at == MAP_FAILED)
		return error_set(f, -ENOMEM, "no memory for %zu devices", room);
	// Best effort: 128 bytes a device are a TLB miss each without.
	(void)!madvise(at, room * size, MADV_HUGEPAGE);
	devices->device = at;
	devices->room = room;
	return 0;
}

// The file speaks of both ends as the gateway sees them.
static int take(struct load_devices *devices, struct reader *r, struct error *f)
{
	const struct osc_params *p = &r->spec.params;
	struct load_device *device;
	struct error why;
	struct osc_keys keys;
	int err;

	// The marks that an import asks for are of no matter here.
	if (record_to_spec(&r->record, true, &r->spec, &why))
		return error_set(
			f, -EINVAL, "%s: line %" PRIu64 ": %s", r->path, r->record.line, why.text);
	err = osc_derive(&keys, p);
	if (err)
		return error_set(f, err, "%s: line %" PRIu64 ": no keys", r->path, r->record.line);
	err = grow(devices, f);
	if (err)
		return err;
	device = &devices->device[devices->count];
	*device = (struct load_device){
		.kid_len = p->recipient_id_len,
		.alg = p->alg,
		.id_context = p->has_id_context,
		.id_context_len = p->id_context_len,
		.gateway_id_len = p->sender_id_len,
	};
	memcpy(device->sender_key, keys.recipient_key, sizeof(device->sender_key));
	memcpy(device->recipient_key, keys.sender_key, sizeof(device->recipient_key));
	memcpy(device->common_iv, keys.common_iv, sizeof(device->common_iv));
	memcpy(device->kid, p->recipient_id, p->recipient_id_len);
	memcpy(device->gateway_id, p->sender_id, p->sender_id_len);
	sodium_memzero(&keys, sizeof(keys));
	if (p->id_context_len) {
		uint8_t *bytes = malloc(p->id_context_len);

		if (!bytes)
			return error_set(f, -ENOMEM, "out of memory");
		memcpy(bytes, p->id_context, p->id_context_len);
		device->id_context_bytes = bytes;
	}
	devices->count++;
	return 0;
}

static bool looks_like_json(const char *data, size_t len)
{
	size_t at = len >= 3 && !memcmp(data, "\xef\xbb\xbf", 3) ? 3 : 0;

	while (at < len && strchr(" \t\r\n", data[at]))
		at++;
	return at < len && (data[at] == '{' || data[at] == '[');
}

static int parse(struct load_devices *devices, struct reader *r, struct parse_input *input,
	bool *ended, struct error *f)
{
	struct error why;
	int err;

	for (;;) {
		switch (r->is_json ? json_parse(&r->json, input, &r->record, &why)
				   : csv_parse(&r->csv, input, &r->record, &why)) {
		case PARSE_NEED_DATA:
			return 0;
		case PARSE_RECORD:
			err = take(devices, r, f);
			if (err)
				return err;
			if (r->max && devices->count == r->max) {
				*ended = true;
				return 0;
			}
			break;
		case PARSE_BAD_RECORD:
			return error_set(f, -EINVAL, "%s: line %" PRIu64 ": %s", r->path,
				r->record.line, why.text);
		case PARSE_END:
			*ended = true;
			return 0;
		case PARSE_BROKEN:
			return error_set(f, -EINVAL, "%s: %s", r->path, why.text);
		}
	}
}

static int read_all(struct load_devices *devices, struct reader *r, int fd, struct error *f)
{
	bool ended = false, begun = false;
	int err = 0;

	while (!ended && !err) {
		ssize_t n = read(fd, r->data, sizeof(r->data));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(f, -errno, "%s: %s", r->path, strerror(errno));
		struct parse_input input = {.data = r->data, .len = (size_t)n, .last = n == 0};
		if (!begun) {
			r->is_json = looks_like_json(r->data, (size_t)n);
			if (n >= 3 && !memcmp(r->data, "\xef\xbb\xbf", 3))
				input.used = 3;
			begun = true;
		}
		err = parse(devices, r, &input, &ended, f);
	}
	return err;
}

// Key number i of all: two a device.
static const uint8_t *key_at(const struct load_devices *devices, size_t i)
{
	const struct load_device *device = &devices->device[i / 2];

	return i % 2 ? device->recipient_key : device->sender_key;
}

// Puts key number i into a hash table of numbers, from 1 up, or returns which one is the same.
static bool key_is_new(
	const struct load_devices *devices, uint32_t *table, size_t slots, size_t i, size_t *same)
{
	const uint8_t *key = key_at(devices, i);
	uint64_t at;

	memcpy(&at, key, sizeof(at)); // keys look random already
	for (at &= slots - 1; table[at]; at = (at + 1) & (slots - 1)) {
		*same = table[at] - 1;
		if (!memcmp(key, key_at(devices, *same), AEAD_KEY_MAX))
			return false;
	}
	table[at] = (uint32_t)i + 1;
	return true;
}

// All devices share their sequence numbers: the same keys twice, in whatever role, would be used
// for two messages under one number.
static int refuse_same_keys(const struct load_devices *devices, const char *path, struct error *f)
{
	size_t slots = 4, i = 0, same;
	uint32_t *table;

	while (slots < 4 * devices->count)
		slots *= 2;
	table = calloc(slots, sizeof(*table));
	if (!table)
		return error_set(f, -ENOMEM, "out of memory");
	while (i < 2 * devices->count && key_is_new(devices, table, slots, i, &same))
		i++;
	free(table);
	if (i == 2 * devices->count)
		return 0;
	return error_set(f, -EINVAL,
		"%s: its devices %zu and %zu have the same keys, and would use each sequence "
		"number twice",
		path, same / 2 + 1, i / 2 + 1);
}

static void shuffle(struct load_devices *devices)
{
	for (size_t i = devices->count; i > 1; i--) {
		size_t k = randombytes_uniform((uint32_t)i);
		struct load_device swap = devices->device[i - 1];

		devices->device[i - 1] = devices->device[k];
		devices->device[k] = swap;
	}
}

int devices_read(struct load_devices *devices, const char *path, size_t max, struct error *f)
{
	struct reader *r = calloc(1, sizeof(*r));
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	*devices = (struct load_devices){0};
	if (!r)
		err = error_set(f, -ENOMEM, "out of memory");
	else if (fd < 0)
		err = error_set(f, -errno, "%s: %s", path, strerror(errno));
	else {
		r->path = path;
		r->max = max;
		err = read_all(devices, r, fd, f);
	}
	if (!err && !devices->count)
		err = error_set(f, -EINVAL, "%s: no devices", path);
	if (!err && devices->count > DEVICES_MAX)
		err = error_set(f, -EINVAL, "%s: more than %u devices", path, DEVICES_MAX);
	if (!err && max && devices->count < max)
		err = error_set(
			f, -EINVAL, "%s: only %zu devices, not %zu", path, devices->count, max);
	if (!err)
		err = refuse_same_keys(devices, path, f);
	if (!err)
		shuffle(devices);
	if (fd >= 0)
		close(fd);
	if (r)
		sodium_memzero(r, sizeof(*r));
	free(r);
	return err;
}

void devices_free(struct load_devices *devices)
{
	for (size_t i = 0; i < devices->count; i++) {
		free((uint8_t *)devices->device[i].id_context_bytes);
		free(devices->device[i].echo);
	}
	if (devices->device) {
		sodium_memzero(devices->device, devices->count * sizeof(*devices->device));
		munmap(devices->device, devices->room * sizeof(*devices->device));
	}
	*devices = (struct load_devices){0};
}

int devices_make(const char *path, size_t count, uint32_t first, enum aead_alg alg, struct error *f)
{
	uint8_t secret[16], salt[8];
	char secret_hex[2 * sizeof(secret) + 1], salt_hex[2 * sizeof(salt) + 1];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	int err;

	if (!file) {
		err = error_set(f, -errno, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return err;
	}
	fputs("device_id,gateway_id,master_secret,master_salt,algorithm,name,never_used\n", file);
	for (size_t i = 0; i < count; i++) {
		uint32_t id = first + (uint32_t)i;

		randombytes_buf(secret, sizeof(secret));
		randombytes_buf(salt, sizeof(salt));
		sodium_bin2hex(secret_hex, sizeof(secret_hex), secret, sizeof(secret));
		sodium_bin2hex(salt_hex, sizeof(salt_hex), salt, sizeof(salt));
		fprintf(file, "%08" PRIx32 ",00,%s,%s,%s,load-%08" PRIx32 ",true\n", id, secret_hex,
			salt_hex, aead_algs[alg].name, id);
	}
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(secret_hex, sizeof(secret_hex));
	bool failed = fflush(file) || fsync(fd);
	err = failed ? error_set(f, -errno, "%s: %s", path, strerror(errno)) : 0;
	if (fclose(file) && !err)
		err = error_set(f, -errno, "%s: %s", path, strerror(errno));
	if (err)
		unlink(path);
	return err;
}
