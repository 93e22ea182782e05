// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/privileges.h"

#include "gw/os/every_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability)  (UINT64_C(1) << (capability))
#define OVERRIDE_BITS    (BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH))
#define CAPABILITIES_MAX 64

// The three sets of the calling thread.
struct sets {
	uint64_t effective, permitted, inheritable;
};

static int sets_read(struct sets *sets)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data))
		return -errno;
	sets->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	sets->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	sets->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

// Async-signal-safe.
static int sets_write(const struct sets *sets)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	for (unsigned i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(sets->effective >> 32 * i),
			.permitted = (uint32_t)(sets->permitted >> 32 * i),
			.inheritable = (uint32_t)(sets->inheritable >> 32 * i),
		};
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

uint64_t privileges_now(void)
{
	struct sets sets = {0};

	return sets_read(&sets) ? 0 : sets.permitted;
}

bool privileges_reach(const char *path, int mode)
{
	struct sets before = {0}, without;
	bool lowered = !sets_read(&before) && before.effective & OVERRIDE_BITS;

	without = before;
	without.effective &= ~OVERRIDE_BITS;
	lowered = lowered && !sets_write(&without);
	const bool reached = !faccessat(AT_FDCWD, path, mode, AT_EACCESS);

	if (lowered)
		(void)!sets_write(&before);
	return reached;
}

// Runs in each thread, see gw/os/every_thread.h.
static int drop(const char *name, void *arg)
{
	const uint64_t *keep = arg;
	struct sets sets = {0};
	int rc = sets_read(&sets);

	if (rc)
		return rc;
	// Nobody gets them back by a file's capabilities, either. Without CAP_SETPCAP no_new_privs
	// below has the same effect.
	if (sets.effective & BIT(CAP_SETPCAP))
		for (unsigned i = 0; i < CAPABILITIES_MAX; i++)
			if (!(*keep & BIT(i)) && prctl(PR_CAPBSET_DROP, i))
				break; // the kernel knows no more
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	sets.permitted &= *keep;
	sets.effective = sets.permitted;
	sets.inheritable = 0;
	return sets_write(&sets);
}

int privileges_drop(bool keep_override, struct error *error)
{
	uint64_t keep = keep_override ? BIT(CAP_DAC_OVERRIDE) : 0;

	return every_thread(drop, &keep, error);
}
