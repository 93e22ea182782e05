// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/port/pci.h"
#include "gw/conf/listen.h"
#include "gw/preflight/look.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define NETDEV         "/sys/class/net/%s"
#define TCP_LISTEN     0x0a // of the kernel's states in /proc/net/tcp
#define TAP_QUEUES_MAX 4

// A file of a netdev.
static const char *netdev(char name[128], const char *dev, const char *file)
{
	snprintf(name, 128, NETDEV "/%s", dev, file);
	return name;
}

// By /proc/net/dev, which is of the caller's network namespace; /sys may be of another one.
static bool netdev_there(const struct preflight *p, const char *dev)
{
	char value[256];
	char path[LOOK_PATH_MAX], line[512];
	FILE *in = fopen(look_path(p, path, "/proc/net/dev"), "re");
	bool found = false;

	while (in && !found && fgets(line, sizeof(line), in))
		found = sscanf(line, " %255[^: ]", value) == 1 && !strcmp(value, dev);
	if (in)
		fclose(in);
	return found;
}

static void look_at_name(struct preflight *p, const char *port, const char *dev)
{
	char name[128];

	if (!dev || !netdev_there(p, dev))
		return;
	// A TAP that nobody has open may be taken over.
	const bool tap = look_there(p, netdev(name, dev, "tun_flags"));

	preflight_remedy(
		preflight_add(p, tap ? PREFLIGHT_WARNING : PREFLIGHT_PROBLEM, "port",
			"%s: there is a netdev %s already, and the gateway makes one", port, dev),
		"ip link delete %s", dev);
}

static void look_at_tun(struct preflight *p, const char *port)
{
	char path[LOOK_PATH_MAX];

	if (!look_there(p, "/dev/net/tun"))
		preflight_remedy(
			preflight_add(p, PREFLIGHT_PROBLEM, "port",
				"%s: there is no /dev/net/tun, for what goes to the kernel", port),
			"modprobe tun");
	else if (access(look_path(p, path, "/dev/net/tun"), R_OK | W_OK))
		preflight_remedy(preflight_add(p, PREFLIGHT_PROBLEM, "port",
					 "%s: this user may not open /dev/net/tun", port),
			"chmod 0666 /dev/net/tun");
}

static unsigned queues_of(const struct preflight *p, const char *dev)
{
	char name[128], path[LOOK_PATH_MAX];
	DIR *dir = opendir(look_path(p, path, "%s", netdev(name, dev, "queues")));
	const struct dirent *entry;
	unsigned queues = 0;

	while (dir && (entry = readdir(dir)))
		queues += !strncmp(entry->d_name, "rx-", 3);
	if (dir)
		closedir(dir);
	return queues;
}

// AF_XDP has a socket for each queue of a worker: a queue without one is the kernel's, and CoAP
// that comes there is lost.
static void look_at_queues(struct preflight *p, const struct conf_port *port)
{
	const unsigned queues = queues_of(p, port->device);
	const size_t workers = p->conf->workers.core_count;

	if (port->kind != CONF_PORT_AF_XDP || !queues || queues == workers)
		return;
	preflight_remedy(preflight_add(p, queues < workers ? PREFLIGHT_PROBLEM : PREFLIGHT_WARNING,
				 "port", "%s: %s has %u queues and there are %zu workers%s",
				 port->name, port->device, queues, workers,
				 queues < workers ? "" : ": CoAP on the other queues is not seen"),
		"ethtool -L %s combined %zu", port->device, workers);
}

static void look_at_netdev(struct preflight *p, const struct conf_port *port)
{
	char name[128], state[32], driver[64];

	if (!netdev_there(p, port->device)) {
		preflight_remedy(preflight_add(p, PREFLIGHT_PROBLEM, "port",
					 "%s: there is no netdev %s", port->name, port->device),
			"ip -br link");
		return;
	}
	long mtu = look_number(p, netdev(name, port->device, "mtu"));

	if (mtu > 0 && mtu < port->mtu)
		preflight_remedy(preflight_add(p, PREFLIGHT_WARNING, "port",
					 "%s: %s has an MTU of %ld, the port one of %u", port->name,
					 port->device, mtu, port->mtu),
			"ip link set %s mtu %u", port->device, port->mtu);
	look_at_queues(p, port);
	look_line(p, netdev(name, port->device, "operstate"), state, sizeof(state));
	look_link(p, netdev(name, port->device, "device/driver"), driver, sizeof(driver));
	if (!strcmp(state, "down"))
		preflight_remedy(preflight_add(p, PREFLIGHT_WARNING, "port",
					 "%s: the link of %s is down", port->name, port->device),
			"ip link set %s up", port->device);
	else
		preflight_add(p, PREFLIGHT_OK, "port", "%s: %s%s%s, %u queues", port->name,
			port->device, driver[0] ? ", driver " : "", driver,
			queues_of(p, port->device));
}

static void look_at_pci(struct preflight *p, const struct conf_port *port)
{
	const struct dp_pci_conf pci = {
		.name = port->name,
		.address = port->device,
		.root = p->root,
		.huge_pages = p->conf->workers.huge_pages != CONF_HUGE_NO,
		.memory_mb = p->memory_mb,
	};
	char name[128], driver[64];
	struct error error;

	if (dp_pci_check(&pci, &error)) {
		struct preflight_finding *finding =
			preflight_add(p, PREFLIGHT_PROBLEM, "port", "%s", error.text);
		// The command is the part in quotes.
		const char *from = strchr(error.text, '\'');
		const char *to = from ? strchr(from + 1, '\'') : NULL;

		if (to)
			preflight_remedy(finding, "%.*s", (int)(to - from - 1), from + 1);
		return;
	}
	snprintf(name, sizeof(name), "/sys/bus/pci/devices/%s/driver", port->device);
	look_link(p, name, driver, sizeof(driver));
	preflight_add(
		p, PREFLIGHT_OK, "port", "%s: %s, driver %s", port->name, port->device, driver);
	snprintf(name, sizeof(name), "/sys/bus/pci/devices/%s/numa_node", port->device);
	long node = look_number(p, name);

	for (size_t i = 0; node >= 0 && i < p->conf->workers.core_count; i++) {
		char cpu[128];

		snprintf(cpu, sizeof(cpu), "/sys/devices/system/cpu/cpu%u/node%ld",
			p->conf->workers.cores[i], node);
		if (!look_there(p, cpu))
			preflight_add(p, PREFLIGHT_WARNING, "port",
				"%s: worker %zu on CPU %u is not on node %ld, where the NIC is",
				port->name, i, p->conf->workers.cores[i], node);
	}
}

static void look_at_port(struct preflight *p, const struct conf_port *port)
{
	const unsigned before = p->count;
	const bool sockets = port->kind == CONF_PORT_AF_PACKET || port->kind == CONF_PORT_AF_XDP;

	if (port->kernel || port->kind == CONF_PORT_TAP) {
		look_at_tun(p, port->name);
		look_at_name(p, port->name, port->kernel);
	}
	if (port->kind == CONF_PORT_TAP)
		look_at_name(p, port->name, port->device);
	if (port->kind == CONF_PORT_TAP && p->conf->workers.core_count > TAP_QUEUES_MAX)
		preflight_add(p, PREFLIGHT_PROBLEM, "port", "%s: a TAP port serves %d workers",
			port->name, TAP_QUEUES_MAX);
	if (!look_capability(p, CAP_NET_ADMIN))
		preflight_remedy(
			preflight_add(p, PREFLIGHT_PROBLEM, "port",
				"%s: this user may not make netdevs (CAP_NET_ADMIN)", port->name),
			"start it by systemctl start postern, or as root");
	if (sockets && !look_capability(p, CAP_NET_RAW))
		preflight_add(p, PREFLIGHT_PROBLEM, "port",
			"%s: this user may not open packet sockets (CAP_NET_RAW)", port->name);
	if (sockets)
		look_at_netdev(p, port);
	if (port->kind == CONF_PORT_PCI)
		look_at_pci(p, port);
	if (p->count == before)
		preflight_add(p, PREFLIGHT_OK, "port", "%s: %s", port->name, port->device);
}

// Whether a socket of the kernel's tables listens at this port, on the same address or on all.
static bool listens(const struct preflight *p, const struct sockaddr_storage *address)
{
	const bool six = address->ss_family == AF_INET6;
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	const unsigned port = ntohs(six ? in6->sin6_port : in->sin_port);
	char path[LOOK_PATH_MAX], line[512];
	bool found = false;

	for (unsigned table = 0; table < 2; table++) {
		FILE *file = fopen(look_path(p, path, "/proc/net/tcp%s", table ? "6" : ""), "re");

		while (file && fgets(line, sizeof(line), file)) {
			char local[40], ours[40];
			unsigned number, state;

			if (sscanf(line, " %*u: %39[0-9A-F]:%x %*[0-9A-F]:%*x %x", local, &number,
				    &state) != 3 ||
				number != port || state != TCP_LISTEN)
				continue;
			snprintf(ours, sizeof(ours), "%08X", in->sin_addr.s_addr);
			found |= strspn(local, "0") == strlen(local) || (table && six) ||
				(!table && !six && !strcmp(local, ours));
		}
		if (file)
			fclose(file);
	}
	return found;
}

// Whether a daemon answers at the control socket.
static bool gateway_runs(const struct conf *conf)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", conf->control.socket);
	bool runs = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

	close(fd);
	return runs;
}

static void look_at_listener(struct preflight *preflight, const char *name, const char *where)
{
	struct sockaddr_storage listen;
	socklen_t len = 0;

	if (!conf_listen_parse(where, &listen, &len) || len == 0 || listen.ss_family == AF_UNIX)
		return;
	if (listens(preflight, &listen))
		preflight_remedy(preflight_add(preflight, PREFLIGHT_PROBLEM, name,
					 "%s is in use by another program", where),
			"ss -ltnp");
	else
		preflight_add(preflight, PREFLIGHT_OK, name, "%s is free", where);
}

void preflight_ports(struct preflight *preflight)
{
	const struct conf *conf = preflight->conf;

	// A gateway that runs has what it needs, and would look like a clash with itself.
	if (gateway_runs(conf)) {
		preflight_remedy(preflight_add(preflight, PREFLIGHT_PROBLEM, "gateway",
					 "a gateway runs already, with the control socket %s",
					 conf->control.socket),
			"posternctl status");
		return;
	}
	for (size_t i = 0; i < conf->port_count; i++)
		look_at_port(preflight, &conf->ports[i]);
	look_at_listener(preflight, "metrics", conf->metrics.listen);
	look_at_listener(preflight, "push", conf->push.listen);
}
