// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/port/xdp.h"

#include "dataplane/port/xdp/address.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROGRAM_NAME "postern_steer"
#define MAP_NAME     "addresses"
#define MAPS_MAX     16 // of a program
#define FD_DIR       "/proc/self/fd"

// The ELF object, made of xdp/steer.bpf.c.
extern const uint8_t dp_xdp_elf[];
extern const size_t dp_xdp_elf_len;

// In front of the port in the program's constants.
static const char mark[14] = "postern steer";

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int dp_xdp_program(uint16_t coap_port)
{
	const uint8_t *at = memmem(dp_xdp_elf, dp_xdp_elf_len, mark, sizeof(mark));
	int fd, rc;

	if (!at)
		return -ENOEXEC;
	fd = memfd_create(PROGRAM_NAME, MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, dp_xdp_elf, dp_xdp_elf_len);
	if (!rc && pwrite(fd, &coap_port, sizeof(coap_port), at + sizeof(mark) - dp_xdp_elf) < 0)
		rc = -errno;
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

// The maps of a program.
struct maps {
	uint32_t id[MAPS_MAX];
	uint32_t count;
};

// Calls found(fd, arg) for each of our descriptors of that kind ("bpf-map", "bpf-prog") until it
// returns true. Returns the descriptor, or -ENOENT. To open them by their ids would take
// CAP_SYS_ADMIN; net_af_xdp keeps what it has loaded open.
static int find_fd(const char *kind, bool (*found)(int fd, void *arg), void *arg)
{
	DIR *dir = opendir(FD_DIR);
	const struct dirent *entry;
	int fd = -ENOENT;

	if (!dir)
		return -errno;
	while (fd < 0 && (entry = readdir(dir))) {
		char path[sizeof(FD_DIR) + sizeof(entry->d_name) + 1], target[64];
		ssize_t n;

		snprintf(path, sizeof(path), FD_DIR "/%s", entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = 0;
		if (!strstr(target, kind))
			continue;
		fd = (int)strtol(entry->d_name, NULL, 10);
		if (!found(fd, arg))
			fd = -ENOENT;
	}
	closedir(dir);
	return fd;
}

struct program {
	uint32_t id;
	struct maps maps;
};

// Whether it is the program with that id; finds its maps.
static bool is_program(int fd, void *arg)
{
	struct program *program = arg;
	struct bpf_prog_info info = {
		.nr_map_ids = MAPS_MAX,
		.map_ids = (uintptr_t)program->maps.id,
	};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.id != program->id)
		return false;
	program->maps.count = info.nr_map_ids < MAPS_MAX ? info.nr_map_ids : MAPS_MAX;
	return true;
}

// Whether it is the map of addresses among those of the program.
static bool is_addresses(int fd, void *arg)
{
	const struct maps *maps = arg;
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) || strcmp(info.name, MAP_NAME))
		return false;
	for (uint32_t i = 0; i < maps->count; i++)
		if (maps->id[i] == info.id)
			return info.key_size == sizeof(struct dp_xdp_address);
	return false;
}

// The descriptor of the map of addresses, which stays net_af_xdp's, or -errno.
static int addresses_map(const char *netdev)
{
	const int index = (int)if_nametoindex(netdev);
	struct program program = {0};
	int rc;

	if (!index)
		return -ENODEV;
	rc = bpf_xdp_query_id(index, 0, &program.id);
	if (!rc && !program.id)
		rc = -ENOENT;
	if (rc)
		return rc;
	rc = find_fd("bpf-prog", is_program, &program);
	return rc < 0 ? rc : find_fd("bpf-map", is_addresses, &program.maps);
}

int dp_xdp_hold(const char *netdev)
{
	const int index = (int)if_nametoindex(netdev);
	struct program program = {0};
	int fd, rc, link;

	if (!index)
		return -ENODEV;
	rc = bpf_xdp_query_id(index, 0, &program.id);
	if (!rc && !program.id)
		rc = -ENOENT;
	if (rc)
		return rc;
	fd = find_fd("bpf-prog", is_program, &program);
	if (fd < 0)
		return fd;
	rc = bpf_xdp_detach(index, 0, NULL);
	if (rc)
		return rc;
	link = bpf_link_create(fd, index, BPF_XDP, NULL);
	return link < 0 ? -errno : link;
}

static struct dp_xdp_address map_key(const struct dp_port_addresses *addresses, unsigned i)
{
	struct dp_xdp_address key = {.family = addresses->address[i].family};

	memcpy(key.addr, addresses->address[i].addr, key.family == 4 ? 4 : 16);
	return key;
}

static bool has_key(const struct dp_port_addresses *addresses, const struct dp_xdp_address *key)
{
	for (unsigned i = 0; i < addresses->count; i++) {
		const struct dp_xdp_address one = map_key(addresses, i);

		if (!memcmp(&one, key, sizeof(one)))
			return true;
	}
	return false;
}

int dp_xdp_addresses(const char *netdev, const struct dp_port_addresses *addresses)
{
	struct dp_xdp_address key, next;
	const uint8_t one = 1;
	const int map = addresses_map(netdev);
	bool more;

	if (map < 0)
		return map;
	for (unsigned i = 0; i < addresses->count; i++) {
		key = map_key(addresses, i);
		if (bpf_map_update_elem(map, &key, &one, BPF_ANY))
			return -errno;
	}
	more = !bpf_map_get_next_key(map, NULL, &key);
	while (more) {
		more = !bpf_map_get_next_key(map, &key, &next);
		if (!has_key(addresses, &key) && bpf_map_delete_elem(map, &key))
			return -errno;
		key = next;
	}
	return 0;
}

int dp_xdp_clean(const char *netdev)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info), id = 0;
	const int index = (int)if_nametoindex(netdev);
	int fd, rc;

	if (!index)
		return -ENODEV;
	rc = bpf_xdp_query_id(index, 0, &id);
	if (rc || !id)
		return rc;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return fd;
	rc = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	if (rc || strcmp(info.name, PROGRAM_NAME))
		return rc;
	return bpf_xdp_detach(index, 0, NULL);
}
