// SPDX-License-Identifier: BSD-3-Clause
// The map of addresses is that of the netdev's own program, has what was set last, and is never
// without an address that stays. The kernel is played by this test: to load a program takes rights
// that tests do not have.

#include "dataplane/port/xdp.h"
#include "dataplane/port/xdp/address.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROGRAM_ID 70 // of "lo"
#define MAP_ID     71 // its map of addresses
#define SLOTS      64

// What a descriptor is to the kernel.
static struct {
	int fd;
	uint32_t id;
	const char *name; // of a map; NULL for a program
} objects[8];
static unsigned object_count;

static struct dp_xdp_address slot[SLOTS];
static bool used[SLOTS];
static int map_fd, update_error;
static uint32_t program_id = PROGRAM_ID;
static struct dp_xdp_address stays; // family 0: none
static bool stays_was_gone;

static int slot_of(const void *key)
{
	for (int i = 0; i < SLOTS; i++)
		if (used[i] && !memcmp(&slot[i], key, sizeof(slot[i])))
			return i;
	return -1;
}

int bpf_xdp_query_id(int ifindex, int flags, __u32 *id)
{
	*id = program_id;
	return 0;
}

int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *len)
{
	for (unsigned i = 0; i < object_count; i++) {
		if (objects[i].fd != fd)
			continue;
		if (objects[i].name) {
			struct bpf_map_info *map = info;

			*map = (struct bpf_map_info){
				.id = objects[i].id, .key_size = sizeof(struct dp_xdp_address)};
			strcpy(map->name, objects[i].name);
		} else {
			struct bpf_prog_info *program = info;
			uint32_t *ids = (uint32_t *)(uintptr_t)program->map_ids;

			program->id = objects[i].id;
			program->nr_map_ids = 2;
			ids[0] = objects[i].id + 2; // of the sockets
			ids[1] = objects[i].id + 1;
		}
		return 0;
	}
	errno = EINVAL;
	return -1;
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	int i = slot_of(key);

	cr_assert_eq(fd, map_fd);
	if (update_error) {
		errno = update_error;
		return -1;
	}
	for (int free = 0; i < 0; free++) {
		cr_assert_lt(free, SLOTS);
		if (!used[free])
			i = free;
	}
	used[i] = true;
	memcpy(&slot[i], key, sizeof(slot[i]));
	return 0;
}

int bpf_map_delete_elem(int fd, const void *key)
{
	int i = slot_of(key);

	cr_assert_eq(fd, map_fd);
	cr_assert_geq(i, 0);
	used[i] = false;
	stays_was_gone |= stays.family && slot_of(&stays) < 0;
	return 0;
}

int bpf_map_get_next_key(int fd, const void *key, void *next)
{
	cr_assert_eq(fd, map_fd);
	for (int i = key ? slot_of(key) + 1 : 0; i < SLOTS; i++) {
		if (!used[i])
			continue;
		memcpy(next, &slot[i], sizeof(slot[i]));
		return 0;
	}
	errno = ENOENT;
	return -1;
}

static int object(const char *kind, uint32_t id, const char *name)
{
	int fd = memfd_create(kind, MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	objects[object_count].fd = fd;
	objects[object_count].id = id;
	objects[object_count++].name = name;
	return fd;
}

static struct dp_port_addresses three = {
	.count = 3,
	.address =
		{
			{.family = 4, .addr = {192, 0, 2, 1}},
			{.family = 4,
				.addr = {192, 0, 2, 8, [15] = 9}}, // what is behind counts not
			{.family = 6, .addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
		},
};

static unsigned entries(void)
{
	unsigned n = 0;

	for (int i = 0; i < SLOTS; i++)
		n += used[i];
	return n;
}

Test(xdp_addresses, are_what_was_set_last)
{
	static const struct dp_xdp_address first = {.family = 4, .addr = {192, 0, 2, 1}},
					   second = {.family = 4, .addr = {192, 0, 2, 8}},
					   third = {.family = 6,
						   .addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
					   fourth = {.family = 4, .addr = {192, 0, 2, 4}};

	// Of another port, and the sockets of ours.
	object("bpf-prog", 80, NULL);
	object("bpf-map", 81, "addresses");
	object("bpf-map", MAP_ID + 1, "xsks_map");
	map_fd = object("bpf-map", MAP_ID, "addresses");
	object("bpf-prog", PROGRAM_ID, NULL);

	cr_assert_eq(dp_xdp_addresses("lo", &three), 0);
	cr_assert_eq(entries(), 3);
	cr_assert_geq(slot_of(&first), 0);
	cr_assert_geq(slot_of(&second), 0);
	cr_assert_geq(slot_of(&third), 0);

	stays = third;
	three.address[0].addr[3] = 4;
	memcpy(&three.address[1], &three.address[2], sizeof(three.address[1]));
	three.count = 2;
	cr_assert_eq(dp_xdp_addresses("lo", &three), 0);
	cr_assert_eq(entries(), 2);
	cr_assert_geq(slot_of(&fourth), 0);
	cr_assert_geq(slot_of(&third), 0);
	cr_assert_not(stays_was_gone);
}

Test(xdp_addresses, errors_are_told)
{
	map_fd = object("bpf-map", MAP_ID, "addresses");
	cr_assert_eq(dp_xdp_addresses("no-such", &three), -ENODEV);
	cr_assert_eq(dp_xdp_addresses("lo", &three), -ENOENT, "the program is not ours");
	object("bpf-prog", PROGRAM_ID, NULL);
	update_error = E2BIG;
	cr_assert_eq(dp_xdp_addresses("lo", &three), -E2BIG);
	program_id = 0;
	cr_assert_eq(dp_xdp_addresses("lo", &three), -ENOENT, "no program");
}
