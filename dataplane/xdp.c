// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROGRAM_NAME "postern_steer"

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
