// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAYLOAD_MAX 128 // of a request: the longest has a struct and three attributes of 20 bytes
#define ANSWER_MAX  4096

struct request {
	struct nlmsghdr header;
	uint8_t payload[PAYLOAD_MAX];
};

static void request_init(struct request *request, uint16_t type, uint16_t flags)
{
	*request = (struct request){.header = {
					    .nlmsg_len = NLMSG_HDRLEN,
					    .nlmsg_type = type,
					    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags,
					    .nlmsg_seq = 1,
				    }};
}

// Appends bytes, padded to the alignment of netlink attributes.
static void request_append(struct request *request, const void *data, size_t len)
{
	memcpy((uint8_t *)request + request->header.nlmsg_len, data, len);
	request->header.nlmsg_len += (uint32_t)NLMSG_ALIGN(len);
}

static void request_attribute(struct request *request, uint16_t type, const void *data, size_t len)
{
	const struct rtattr attribute = {
		.rta_len = (uint16_t)RTA_LENGTH(len),
		.rta_type = type,
	};

	request_append(request, &attribute, sizeof(attribute));
	request_append(request, data, len);
}

// Sends the request and waits for the kernel's answer. Returns 0 or -errno.
static int transact(const struct request *request)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	union {
		struct nlmsghdr header;
		uint8_t bytes[ANSWER_MAX];
	} answer;
	const struct nlmsgerr *error;
	ssize_t n;
	int fd, rc;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	if (sendto(fd, request, request->header.nlmsg_len, 0, (const struct sockaddr *)&kernel,
		    sizeof(kernel)) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	do {
		n = recv(fd, &answer, sizeof(answer), 0);
	} while (n < 0 && errno == EINTR);
	rc = n < 0 ? -errno : 0;
	close(fd);
	if (rc)
		return rc;
	if ((size_t)n < NLMSG_LENGTH(sizeof(*error)) || answer.header.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	error = NLMSG_DATA(&answer.header);
	return error->error;
}

static int device_index(const char *netdev)
{
	unsigned index = if_nametoindex(netdev);

	return index ? (int)index : -ENODEV;
}

// Starts a request that sets those interface flags that are in `change` to their values in `flags`.
static int link_request(
	struct request *request, const char *netdev, unsigned flags, unsigned change)
{
	struct ifinfomsg link = {
		.ifi_family = AF_UNSPEC,
		.ifi_flags = flags,
		.ifi_change = change,
	};

	link.ifi_index = device_index(netdev);
	if (link.ifi_index < 0)
		return link.ifi_index;
	request_init(request, RTM_NEWLINK, 0);
	request_append(request, &link, sizeof(link));
	return 0;
}

int netlink_set_up(const char *netdev)
{
	struct request request;
	int rc = link_request(&request, netdev, IFF_UP, IFF_UP);

	return rc ? rc : transact(&request);
}

int netlink_set_mtu(const char *netdev, uint16_t mtu)
{
	const uint32_t value = mtu;
	struct request request;
	int rc = link_request(&request, netdev, 0, 0);

	if (rc)
		return rc;
	request_attribute(&request, IFLA_MTU, &value, sizeof(value));
	return transact(&request);
}

int netlink_set_mac(const char *netdev, const uint8_t mac[6])
{
	struct request request;
	int rc = link_request(&request, netdev, 0, 0);

	if (rc)
		return rc;
	request_attribute(&request, IFLA_ADDRESS, mac, 6);
	return transact(&request);
}

int netlink_add_address(const char *netdev, const struct conf_prefix *prefix)
{
	const uint32_t flags = IFA_F_PERMANENT | (prefix->family == AF_INET6 ? IFA_F_NODAD : 0);
	const size_t addr_len = prefix->family == AF_INET ? 4 : 16;
	struct ifaddrmsg address = {
		.ifa_family = (uint8_t)prefix->family,
		.ifa_prefixlen = prefix->len,
		.ifa_scope = RT_SCOPE_UNIVERSE,
	};
	struct request request;
	int rc = device_index(netdev);

	if (rc < 0)
		return rc;
	address.ifa_index = (unsigned)rc;
	request_init(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	request_append(&request, &address, sizeof(address));
	request_attribute(&request, IFA_LOCAL, prefix->addr, addr_len);
	request_attribute(&request, IFA_ADDRESS, prefix->addr, addr_len);
	request_attribute(&request, IFA_FLAGS, &flags, sizeof(flags));
	rc = transact(&request);
	return rc == -EEXIST ? 0 : rc;
}
