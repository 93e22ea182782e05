// SPDX-License-Identifier: BSD-3-Clause

#include "bench/load/pcap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define FRAME_MAX     2048
#define PCAP_MAGIC    0xa1b2c3d4
#define PCAP_ETHERNET 1
#define FRAME_EACH_US 1 // time between two frames, for those that heed it

struct pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, len_max, link;
};

struct pcap_record {
	uint32_t seconds, microseconds, len, original_len;
};

struct writer {
	const struct pcap_conf *conf;
	FILE *file;
	struct dp_flow flow;
	uint64_t written;
	size_t device;
	uint64_t piv;
	uint8_t frame[AEAD_BATCH_MAX][FRAME_MAX];
	uint16_t mid;
};

static int write_frame(struct writer *w, const uint8_t *frame, uint32_t len)
{
	const uint64_t us = w->written * FRAME_EACH_US;
	const struct pcap_record record = {
		.seconds = (uint32_t)(us / 1000000),
		.microseconds = (uint32_t)(us % 1000000),
		.len = len,
		.original_len = len,
	};

	w->written++;
	return fwrite(&record, sizeof(record), 1, w->file) != 1 ||
		fwrite(frame, len, 1, w->file) != 1;
}

static int write_batch(struct writer *w, const struct request_form *form,
	struct load_devices *devices, struct piv_supply *supply, struct aead_engine *engine,
	unsigned n, struct error *f)
{
	const uint16_t overhead = dp_frame_overhead(&w->flow);
	struct request_item items[AEAD_BATCH_MAX];
	uint32_t endpoint[AEAD_BATCH_MAX];

	for (unsigned i = 0; i < n; i++) {
		const uint64_t number = w->written + i;
		int err = piv_supply_fill(supply, f);

		if (err)
			return err;
		if (w->device == 0 && !piv_take(supply, &w->piv))
			return error_set(f, -EIO, "no Partial IV");
		endpoint[i] = (uint32_t)(w->device % w->conf->sources->endpoints);
		items[i] = (struct request_item){
			.device = &devices->device[w->device],
			.piv = w->piv,
			.mid = w->mid++,
			.out = w->frame[i] + overhead,
		};
		memcpy(items[i].token, &number, sizeof(number));
		w->device = (w->device + 1) % devices->count;
	}
	if (request_seal_batch(form, engine, items, n))
		return error_set(f, -EIO, "the cipher failed");
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf m = {.buf_addr = w->frame[i], .buf_len = FRAME_MAX};

		sources_flow(w->conf->sources, endpoint[i], &w->flow);
		dp_frame_encapsulate(&m, &w->flow, items[i].len);
		if (write_frame(w, w->frame[i], m.data_len))
			return error_set(f, -errno, "%s: %s", w->conf->path, strerror(errno));
	}
	return 0;
}

int pcap_write(const struct pcap_conf *conf, const struct request_form *form,
	struct load_devices *devices, struct piv_supply *supply, struct error *f)
{
	const struct pcap_header header = {.magic = PCAP_MAGIC,
		.major = 2,
		.minor = 4,
		.len_max = 65535,
		.link = PCAP_ETHERNET};
	struct aead_engine *engine = aead_engine_create(NULL);
	struct writer *w = calloc(1, sizeof(*w));
	int err = 0;

	if (!engine || !w) {
		err = error_set(f, -ENOMEM, "out of memory");
		goto out;
	}
	w->conf = conf;
	w->flow.family = conf->sources->family;
	w->flow.remote_port = htons(conf->port);
	w->mid = (uint16_t)randombytes_random();
	memcpy(w->flow.remote_addr, conf->server, sizeof(w->flow.remote_addr));
	memcpy(w->flow.local_mac, conf->source_mac, 6);
	memcpy(w->flow.remote_mac, conf->server_mac, 6);
	w->file = fopen(conf->path, "we");
	if (!w->file || fwrite(&header, sizeof(header), 1, w->file) != 1)
		err = error_set(f, -errno, "%s: %s", conf->path, strerror(errno));
	while (!err && w->written < conf->requests) {
		uint64_t left = conf->requests - w->written;

		err = write_batch(w, form, devices, supply, engine,
			left < AEAD_BATCH_MAX ? (unsigned)left : AEAD_BATCH_MAX, f);
	}
	if (w->file && fclose(w->file) && !err)
		err = error_set(f, -errno, "%s: %s", conf->path, strerror(errno));
out:
	aead_engine_free(engine);
	free(w);
	return err;
}
