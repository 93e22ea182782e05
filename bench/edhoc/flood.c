// SPDX-License-Identifier: BSD-3-Clause

#include "bench/edhoc/flood.h"

#include "base/clock.h"
#include "dataplane/coap/message.h"
#include "gw/edhoc/initiator.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define POINTS   256 // G_X that were made before
#define BURST    64  // packets of one call
#define PACKET   160
#define FORMAT   65          // application/cid-edhoc+cbor-seq
#define FIRST    0xc6120000U // 198.18.0.0
#define NETWORKS 512U

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	uint8_t coap[PACKET];
} __attribute__((packed));

struct message {
	size_t len;
	uint8_t bytes[96];
};

static void messages_make(struct devices *devices, struct message message[POINTS])
{
	const int64_t suite = devices->suite;

	for (unsigned i = 0; i < POINTS; i++) {
		struct edhoc_writer writer =
			edhoc_writer(message[i].bytes, sizeof(message[i].bytes));
		struct edhoc_session session;
		struct ecc_pair ephemeral;

		if (ecc_pair_make(devices->engine.ecc, edhoc_suites[suite].agreement, &ephemeral))
			die("no key");
		edhoc_write_head(&writer, EDHOC_CBOR_SIMPLE, EDHOC_CBOR_TRUE);
		if (edhoc_message_1_make(&(const struct edhoc_start){.method = 3,
						 .suites = &suite,
						 .n_suites = 1,
						 .c_i = {1, {(uint8_t)(i % 24)}},
						 .ephemeral = &ephemeral},
			    &session, &writer) != EDHOC_OK)
			die("no message_1");
		sodium_memzero(&session, sizeof(session));
		message[i].len = edhoc_writer_len(&writer);
	}
}

static uint16_t sum(const void *data, size_t len, uint32_t from)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i += 2)
		from += (uint32_t)bytes[i] << 8 | (i + 1 < len ? bytes[i + 1] : 0);
	while (from >> 16)
		from = (from & 0xffff) + (from >> 16);
	return (uint16_t)from;
}

// Makes the packet of one sender. Returns its length.
static size_t packet_make(struct packet *packet, const struct sockaddr_in *to,
	const struct message *message, uint64_t number, uint32_t networks)
{
	const uint32_t random = randombytes_random();
	const uint32_t from = FIRST + (uint32_t)(number % networks << 8) + 1 + random % 254;
	const uint16_t token = (uint16_t)(random >> 8);
	struct coap_writer writer;

	coap_writer_init(&writer, packet->coap, sizeof(packet->coap));
	coap_write_header(
		&writer, COAP_CON, COAP_POST, (uint16_t)number, (const uint8_t *)&token, 2);
	coap_write_option(&writer, COAP_OPT_URI_PATH, ".well-known", 11);
	coap_write_option(&writer, COAP_OPT_URI_PATH, "edhoc", 5);
	coap_write_option_uint(&writer, COAP_OPT_CONTENT_FORMAT, FORMAT);
	coap_write_payload(&writer, message->bytes, message->len);
	const size_t coap_len = coap_writer_len(&writer), udp_len = sizeof(packet->udp) + coap_len;

	packet->ip = (struct iphdr){.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)(sizeof(packet->ip) + udp_len)),
		.frag_off = htons(IP_DF),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = htonl(from),
		.daddr = to->sin_addr.s_addr};
	packet->udp = (struct udphdr){.uh_sport = htons((uint16_t)(1024 + random % 60000)),
		.uh_dport = to->sin_port,
		.uh_ulen = htons((uint16_t)udp_len)};
	const uint32_t pseudo = sum(&packet->ip.saddr, 8, (uint32_t)(IPPROTO_UDP + udp_len));
	const uint16_t check = (uint16_t)~sum(&packet->udp, udp_len, pseudo);

	packet->udp.uh_sum = htons(check ? check : 0xffff);
	return sizeof(packet->ip) + udp_len;
}

uint64_t flood(struct devices *devices, const struct sockaddr_in *to, double rate, double seconds,
	uint32_t networks)
{
	static struct message message[POINTS];
	static struct packet packet[BURST];
	struct mmsghdr head[BURST];
	struct iovec part[BURST];
	struct sockaddr_in name = *to;
	const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	uint64_t sent = 0;

	if (fd < 0)
		die(strerror(errno));
	if (!networks || networks > NETWORKS)
		die("1 to 512 networks");
	messages_make(devices, message);
	name.sin_port = 0;
	const uint64_t start_ns = clock_ns();

	for (;;) {
		const double passed = (double)(clock_ns() - start_ns) / 1e9;
		const double ahead = passed * rate - (double)sent;
		const unsigned n = ahead < BURST ? (unsigned)ahead : BURST;

		if (passed >= seconds)
			break;
		if (!n) {
			nanosleep(&(const struct timespec){.tv_nsec = 500000}, NULL);
			continue;
		}
		for (unsigned i = 0; i < n; i++) {
			part[i].iov_base = &packet[i];
			part[i].iov_len = packet_make(
				&packet[i], to, &message[(sent + i) % POINTS], sent + i, networks);
			head[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &name,
							   .msg_namelen = sizeof(name),
							   .msg_iov = &part[i],
							   .msg_iovlen = 1}};
		}
		const int count = sendmmsg(fd, head, n, 0);

		if (count > 0)
			sent += (unsigned)count;
		else if (errno != ENOBUFS && errno != EAGAIN)
			die(strerror(errno));
	}
	close(fd);
	return sent;
}
