// SPDX-License-Identifier: BSD-3-Clause
// The daemon sends copies of frames; the file is opened and written here, with the rights of
// whoever asks.

#include "gw/tools/ctl/capture.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/pcapng.h"
#include "gw/tools/ctl/values.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SECONDS_DEFAULT   60
#define MEGABYTES_DEFAULT 64
#define FREE_PART         20 // stops at one 20th of the file system

struct capture {
	FILE *out;
	const char *name; // of the file, NULL: standard output
	uint64_t bytes, bytes_max;
	uint64_t frames, lost;
	uint32_t interfaces;
	const char *ended;
};

// Ends the connection on SIGINT and SIGTERM, so that what was received is written to the end.
static volatile sig_atomic_t connection_fd = -1, interrupted;

static void on_signal(int signal)
{
	int saved = errno;

	interrupted = 1;
	if (connection_fd >= 0)
		shutdown(connection_fd, SHUT_RDWR);
	errno = saved;
}

static void signals_take(int fd)
{
	struct sigaction action = {.sa_handler = on_signal};

	connection_fd = fd;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

// Makes the file, or takes standard output if that is no terminal.
static int out_open(struct capture *capture, const char *path)
{
	int fd;

	if (path == NULL || strcmp(path, "-") == 0) {
		if (isatty(STDOUT_FILENO)) {
			cli_complain("a capture goes to a file (-o FILE) or a pipe");
			return CLI_USAGE;
		}
		capture->out = stdout;
		return CLI_OK;
	}
	capture->name = path;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	capture->out = fd < 0 ? NULL : fdopen(fd, "w");
	if (capture->out)
		return CLI_OK;
	cli_complain("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return CLI_FAILED;
}

// Whether there is room for more on the disk.
static bool disk_has_room(const struct capture *capture)
{
	struct statvfs disk;

	return capture->name == NULL || fstatvfs(fileno(capture->out), &disk) != 0 ||
		disk.f_bavail > disk.f_blocks / FREE_PART || disk.f_blocks == 0;
}

static void interfaces_write(struct capture *capture, const struct ctl_cbor *map)
{
	struct ctl_cbor ports = cli_inner(map, "ports"), port;
	struct ctl_cbor_iter iter = ctl_cbor_iter(&ports);
	enum pcapng_link link = cli_bool(map, "plain") ? PCAPNG_RAW : PCAPNG_ETHERNET;

	capture->bytes += pcapng_section(capture->out);
	while (ctl_cbor_next(&iter, &port)) {
		if (port.type != CTL_CBOR_TEXT)
			continue;
		capture->bytes +=
			pcapng_interface(capture->out, link, (const char *)port.data, port.value);
		capture->interfaces++;
	}
}

// Reads [time, port, out, length, bytes]. False if it is something else.
static bool frame_read(const struct ctl_cbor *item, struct pcapng_frame *frame)
{
	static const enum ctl_cbor_type types[] = {
		CTL_CBOR_UINT, CTL_CBOR_UINT, CTL_CBOR_BOOL, CTL_CBOR_UINT, CTL_CBOR_BYTES};
	struct ctl_cbor_iter iter = ctl_cbor_iter(item);
	struct ctl_cbor field[5];

	if (item->type != CTL_CBOR_ARRAY)
		return false;
	for (unsigned i = 0; i < 5; i++)
		if (!ctl_cbor_next(&iter, &field[i]) || field[i].type != types[i])
			return false;
	*frame = (struct pcapng_frame){
		.time_ns = field[0].value,
		.interface = field[1].value,
		.out = field[2].value,
		.wire_len = field[3].value,
		.bytes = field[4].data,
		.len = field[4].value,
	};
	return true;
}

static void frames_write(struct capture *capture, const struct ctl_cbor *map)
{
	struct ctl_cbor frames = cli_inner(map, "frames"), item;
	struct ctl_cbor_iter iter = ctl_cbor_iter(&frames);
	struct pcapng_frame frame;

	while (!capture->ended && ctl_cbor_next(&iter, &item)) {
		if (!frame_read(&item, &frame) || frame.interface >= capture->interfaces)
			continue;
		if (capture->bytes + frame.len >= capture->bytes_max)
			capture->ended = "it has as many megabytes as it may";
		else
			capture->bytes += pcapng_packet(capture->out, &frame);
		capture->frames += !capture->ended;
	}
	if (!capture->ended && !disk_has_room(capture))
		capture->ended = "only a twentieth of the disk is free";
	capture->lost = cli_uint(map, "lost", 0);
	// A pipe gets them as they come.
	if (fflush(capture->out) != 0)
		capture->ended = "it cannot be written";
}

static void request_make(struct cli *cli, struct ctl_writer *request)
{
	cli_begin(cli, request, "capture");
	ctl_put_text(request, "device", cli->device);
	ctl_put_text(request, "port", cli->port);
	if (cli->given & CLI_COUNT)
		ctl_put_uint(request, "count", cli->count);
	if (cli->given & CLI_SECONDS)
		ctl_put_uint(request, "seconds", cli->seconds);
	if (cli->given & CLI_PLAIN)
		ctl_put_bool(request, "plain", true);
}

static int frames_receive(struct cli *cli, struct capture *capture)
{
	static struct ctl_reply reply;
	const uint64_t seconds = cli->given & CLI_SECONDS ? cli->seconds : SECONDS_DEFAULT;
	struct ctl_cbor ended;
	int ret;

	// Nothing may come for all of its time.
	ctl_client_set_timeout(&cli->client, seconds + cli->timeout_s);
	while (!capture->ended) {
		ret = ctl_client_receive(&cli->client, &reply);
		if (ret == -ENODATA && interrupted)
			capture->ended = "it was interrupted";
		else if (ret != 0 || !ctl_reply_is_ok(&reply))
			return cli_result(cli, ret, &reply);
		else if (ctl_cbor_find(&reply.message.map, "ended", &ended))
			capture->ended = ctl_cbor_is_text(&ended, "count")
				? "it has as many frames as were asked for"
				: "its time is over";
		if (ret == 0 && ctl_cbor_find(&reply.message.map, "frames", &ended))
			frames_write(capture, &reply.message.map);
		else if (ret == 0)
			capture->lost = cli_uint(&reply.message.map, "lost", 0);
	}
	return CLI_OK;
}

// What could not be written must not look like success.
static int out_close(struct capture *capture, int ret)
{
	pcapng_lost(capture->out, capture->lost);
	bool failed = fflush(capture->out) != 0 || ferror(capture->out);

	if (capture->name && fclose(capture->out) != 0)
		failed = true;
	if (failed) {
		cli_complain("%s: %s", capture->name ? capture->name : "standard output",
			strerror(errno));
		return CLI_FAILED;
	}
	fprintf(stderr, "posternctl: %" PRIu64 " %s", capture->frames,
		capture->frames == 1 ? "frame" : "frames");
	if (capture->lost)
		fprintf(stderr, ", %" PRIu64 " lost as they came too fast", capture->lost);
	fprintf(stderr, ": %s\n", capture->ended ? capture->ended : "it broke off");
	return ret;
}

int cli_capture(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	struct capture capture = {
		.bytes_max = (cli->given & CLI_MEGABYTES ? cli->megabytes : MEGABYTES_DEFAULT)
			<< 20};
	int ret;

	if (!(cli->given & CLI_OUT) && isatty(STDOUT_FILENO)) {
		cli_complain("a capture goes to a file (-o FILE) or a pipe");
		return CLI_USAGE;
	}
	request_make(cli, &request);
	ret = cli_send(cli, &request, -1);
	if (ret == CLI_OK)
		ret = cli_receive(cli, &reply);
	// The file is made when the daemon has agreed.
	if (ret == CLI_OK)
		ret = out_open(&capture, cli->given & CLI_OUT ? cli->out : NULL);
	if (ret != CLI_OK)
		return ret;
	signals_take(cli->client.fd);
	interfaces_write(&capture, &reply.message.map);
	return out_close(&capture, frames_receive(cli, &capture));
}
