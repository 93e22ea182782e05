// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/machine.h"

#include "dataplane/port/pci.h"
#include "gw/daemon/descriptors.h"
#include "gw/daemon/ports.h"
#include "gw/daemon/watchdog.h"
#include "gw/os/eal.h"
#include "gw/os/log.h"

#define HUGE_PAGE_MB 2 // the smallest huge page

static bool use_huge_pages(const struct conf *conf, size_t memory_mb)
{
	switch (conf->workers.huge_pages) {
	case CONF_HUGE_YES:
		return true;
	case CONF_HUGE_NO:
		return false;
	case CONF_HUGE_AUTO:
		break;
	}
	return eal_huge_pages_mb() >= memory_mb;
}

struct dp_conf machine_dp_sizes(const struct conf *conf, uint16_t mtu)
{
	return (struct dp_conf){
		.worker_count = conf->workers.core_count,
		.loop_count = conf->workers.loops,
		.max_devices =
			conf->devices.max + (conf->edhoc.identity ? conf->handshakes.sessions : 0),
		.exchanges = conf->workers.exchanges,
		.answers_bytes = conf->workers.answers,
		// Half of them stay empty, so that few keys find no slot.
		.observations = conf->observe.entries,
		.representations = 2 * (conf->cache.entries / conf->workers.loops + 1),
		.port_count = conf->port_count,
		.queue_mbufs = ports_queue_mbufs(conf),
		.has_nic = !ports_are_software(conf),
		.mtu = mtu,
		.slow_threads = conf->handshakes.threads,
		.slow_rate = conf->handshakes.rate,
		.slow_prefix_rate = conf->handshakes.prefix_rate,
		.slow_edhoc_len = conf->edhoc.identity ? (uint8_t)conf->edhoc.c_r_length : 0,
	};
}

// Decides about huge pages. Sets how much of EAL's memory mempools take.
static bool choose_memory(const struct conf *conf, uint16_t mtu, size_t *memory_mb)
{
	const struct dp_conf sizes = machine_dp_sizes(conf, mtu);
	bool huge_pages;

	*memory_mb = eal_memory_mb(dp_eal_bytes(&sizes, true));
	huge_pages = use_huge_pages(conf, *memory_mb);
	if (!huge_pages)
		*memory_mb = eal_memory_mb(dp_eal_bytes(&sizes, false));
	return huge_pages;
}

// Finds what is missing before DPDK starts, since DPDK gives no reason.
static int check_memory_and_nics(const struct conf *conf, const struct eal_conf *eal)
{
	struct error error;
	int rc = 0;

	if (eal->huge_pages)
		rc = eal_huge_pages_check(
			eal->memory_mb, eal_huge_pages_mb(), eal_huge_pages_count(), &error);
	for (size_t i = 0; !rc && i < conf->port_count; i++) {
		const struct dp_pci_conf pci = {
			.name = conf->ports[i].name,
			.address = conf->ports[i].device,
			.root = "",
			.huge_pages = eal->huge_pages,
			.memory_mb = eal->memory_mb,
		};

		if (conf->ports[i].kind == CONF_PORT_PCI)
			rc = dp_pci_check(&pci, &error);
	}
	if (rc)
		log_error("%s", error.text);
	return rc;
}

void machine_needs(const struct conf *conf, uint64_t *memory_mb, uint64_t *descriptors)
{
	const bool huge_pages = conf->workers.huge_pages != CONF_HUGE_NO;
	uint16_t mtu = 0;

	for (size_t i = 0; i < conf->port_count; i++)
		if (conf->ports[i].mtu > mtu)
			mtu = conf->ports[i].mtu;
	const struct dp_conf sizes = machine_dp_sizes(conf, mtu);

	*memory_mb = eal_memory_mb(dp_eal_bytes(&sizes, huge_pages));
	*descriptors = descriptors_needed(conf, huge_pages ? *memory_mb / HUGE_PAGE_MB : 0);
}

int machine_raise_descriptors(const struct conf *conf, uint16_t mtu)
{
	size_t memory_mb;
	size_t pages = choose_memory(conf, mtu, &memory_mb) ? memory_mb / HUGE_PAGE_MB : 0;
	struct error error;
	int rc = descriptors_raise(descriptors_needed(conf, pages), &error);

	if (rc)
		log_error("%s", error.text);
	return rc;
}

int machine_start_eal(struct daemon *daemon, uint16_t mtu)
{
	const struct conf *conf = daemon->conf;
	unsigned cores[CONF_WORKERS_MAX];
	const char *pci[CONF_PORTS_MAX];
	struct eal_conf eal = {.cores = cores, .count = conf->workers.core_count, .pci = pci};
	struct error error;

	for (size_t i = 0; i < conf->workers.core_count; i++)
		cores[i] = conf->workers.cores[i];
	for (size_t i = 0; i < conf->port_count; i++)
		if (conf->ports[i].kind == CONF_PORT_PCI)
			pci[eal.pci_count++] = conf->ports[i].device;
	eal.huge_pages = choose_memory(conf, mtu, &eal.memory_mb);
	int rc = check_memory_and_nics(conf, &eal);

	if (rc)
		return rc;
	rc = eal_start(&eal, &error);
	if (rc) {
		log_error("%s", error.text);
		return rc;
	}
	daemon->eal_started = true;
	log_keep_to_my_cpus();
	watchdog_keep_to_my_cpus(daemon->watchdog);
	log_info("%s, %zu MB for DPDK", eal.huge_pages ? "huge pages" : "no huge pages",
		eal.memory_mb);
	return 0;
}
