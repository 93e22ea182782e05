// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/commands.h"

#include "gw/conf/conf.h"
#include "gw/tools/ctl/cache.h"
#include "gw/tools/ctl/capture.h"
#include "gw/tools/ctl/convert.h"
#include "gw/tools/ctl/daemon.h"
#include "gw/tools/ctl/device.h"
#include "gw/tools/ctl/edhoc.h"
#include "gw/tools/ctl/events.h"
#include "gw/tools/ctl/key.h"
#include "gw/tools/ctl/local.h"
#include "gw/tools/ctl/observe.h"
#include "gw/tools/ctl/preflight.h"
#include "gw/tools/ctl/refused.h"
#include "gw/tools/ctl/reload.h"
#include "gw/tools/ctl/store.h"
#include "gw/tools/ctl/support.h"
#include "gw/tools/ctl/top.h"
#include "gw/tools/ctl/trace.h"
#include "gw/tools/ctl/upstream.h"

const struct cli_command cli_commands[] = {
	{"status", "", 0, cli_status, "state of ports, workers, devices and upstreams", NULL},
	{"stats", "", CLI_ALL | CLI_WORKER, cli_stats, "counters that are not 0", NULL},
	{"top", "", 0, cli_top, "rates, latencies, workers, upstreams and drops, live",
		"The screen is drawn again every 2 s. q ends it, the space bar pauses. Without a "
		"terminal,\none screen of the next second is printed.\n"},
	{"device add", "FILE", CLI_NEVER_USED | CLI_REPLACE | CLI_SETTINGS | CLI_POLICY,
		cli_device_add, "add a device",
		"FILE, or standard input if it is -, holds one JSON object as in an import:\n"
		"\n"
		"  {\"name\": \"pump-7\", \"device_id\": \"0a\", \"gateway_id\": \"01\",\n"
		"   \"master_secret\": \"0102030405060708090a0b0c0d0e0f10\", \"never_used\": "
		"true}\n"
		"\n"
		"Options for its settings count before what FILE says. Secrets have no options, "
		"because\nother users could read the command line.\n"},
	{"device import", "FILE", CLI_FORMAT | CLI_NEVER_USED | CLI_REPLACE | CLI_PATIENT,
		cli_device_import, "add all devices of a file, or none",
		"FILE, or standard input if it is -, is CSV or JSON; docs/import.md describes "
		"both.\n"
		"It is opened by posternctl, so the daemon needs no permission for it.\n"},
	{"device list", "", CLI_LIMIT | CLI_AFTER | CLI_STATE | CLI_IDLE | CLI_LIMITED | CLI_POLICY,
		cli_device_list, "devices in the order of names", NULL},
	{"device show", "NAME", 0, cli_device_show, "state of a device, its reason and remedy",
		NULL},
	{"device convert", "FILE", CLI_FROM | CLI_SERVER | CLI_NEVER_USED | CLI_OUT,
		cli_device_convert,
		"devices of another implementation as JSON for an import; needs no daemon",
		"FILE is an OSCORE configuration of libcoap, a context directory of aiocoap, or "
		"JSON "
		"of\nLeshan: configurations of its bootstrap server, or security information of "
		"its\n"
		"server. docs/import.md has their names and ours. Secrets are written to --out, "
		"which\n"
		"must not be there, or to a pipe:\n\n"
		"  posternctl device convert --from libcoap --never-used FILE |\n"
		"    posternctl device import -\n"},
	{"device remove", "NAME", 0, cli_device_remove, "remove a device and its keys", NULL},
	{"device resync", "NAME", CLI_FROM, cli_device_resync,
		"forget which sequence numbers it has used",
		"A device that answers Echo challenges is challenged at its next request. One "
		"with\n"
		"recovery: floor goes on at --from, its next sequence number: older ones must "
		"never\n"
		"be accepted again, so take it from the device itself.\n"},
	{"device rotate", "NAME FILE", CLI_NEVER_USED | CLI_SETTINGS | CLI_POLICY,
		cli_device_rotate, "give a device other keys, and other ids if FILE says so",
		"FILE is as for \"device add\". What is in flight is answered. The old keys\n"
		"can never be given as never_used again. The settings stay unless FILE or an\n"
		"option sets them.\n"},
	{"store check", "", CLI_PATIENT, cli_store_check, "look for damage in the device store",
		NULL},
	{"store backup", "FILE", CLI_PATIENT, cli_store_backup,
		"copy the device store while it is used",
		"The daemon writes the copy; FILE must not be there. It opens only by store "
		"adopt,\n"
		"and needs the key-encryption key, which is kept elsewhere.\n"},
	{"store adopt", "", CLI_CONFIG, cli_store_adopt,
		"make a copy of a store the one that lives on; needs no daemon",
		"For a store that postern refuses as an old copy, a backup, or of another "
		"machine.\n"
		"The original must never run again.\n"},
	{"tombstone list", "", CLI_LIMIT | CLI_AFTER, cli_tombstone_list,
		"what is remembered of keys that no device has any more",
		"Keys that were removed or replaced come back only above what they were used with, "
		"and\nnever as unused ones. A key is named by a keyed hash: two for each device "
		"that "
		"is gone.\n"},
	{"upstream show", "NAME", 0, cli_upstream_show, "servers of an upstream", NULL},
	{"server drain", "UPSTREAM SERVER", 0, cli_server_drain,
		"give a server of an upstream no new requests",
		"What is under way goes on, and so do its health checks. SERVER is its URL as in "
		"the\nconfiguration, or its name in \"upstream show\". A restart of the daemon "
		"makes "
		"all ready.\n"},
	{"server maint", "UPSTREAM SERVER", 0, cli_server_maint,
		"the same, and do not check its health",
		"When it is ready again, the first check decides alone whether it is up.\n"},
	{"server ready", "UPSTREAM SERVER", 0, cli_server_ready,
		"give it requests again, if its health checks pass", NULL},
	{"capture", "",
		CLI_DEVICE | CLI_PORT | CLI_COUNT | CLI_SECONDS | CLI_MEGABYTES | CLI_PLAIN |
			CLI_OUT,
		cli_capture, "write frames as they come and go to a file for Wireshark",
		"The file (pcapng) is made by posternctl, with the rights of whoever asks. It ends "
		"with\nthe first limit, when a twentieth of its disk is free, or when it is "
		"interrupted. Without\n--out it goes to a pipe:\n\n"
		"  posternctl capture | wireshark -k -i -\n\n"
		"With --plain, for admins, it has the messages that OSCORE protects, opened, as "
		"plain CoAP,\nand nothing that did not verify; the log says who looked.\n"},
	{"reload", "", CLI_DRY_RUN, cli_reload,
		"read the configuration again, without losing a request",
		"Keys that differ are printed, + added, - removed, ~ changed. If one of them "
		"takes\neffect at a start only, or the file has a mistake, nothing changes.\n"},
	{"config diff", "FILE", 0, cli_config_diff,
		"what differs between FILE and the configuration in use",
		"The daemon reads FILE, and changes nothing.\n"},
	{"config show", "", CLI_EFFECTIVE, cli_config_show,
		"the configuration in use, as it was loaded",
		"Keys that the file gives, with their values; those of headers are hidden. With "
		"--effective\nalso all others, which have their defaults or are made from other "
		"keys.\n"},
	{"log level", "[LEVEL]", 0, cli_log_level,
		"show the least level that is logged, or set it until a reload or restart",
		"LEVEL is error, warning, notice, info or debug.\n"},
	{"cache show", "[PATH]", 0, cli_cache_show,
		"what is stored of answers, and what became of requests by that, or all of PATH",
		"The sums for each route are in stats. PATH is that of requests, as it stands in a "
		"URL;\nFRESH says for how long it is served without asking.\n"},
	{"cache purge", "[PATH]", 0, cli_cache_purge,
		"serve nothing more of what is stored, or of what is stored of PATH",
		"PATH is that of requests, as it stands in a URL; all queries and formats of it "
		"go. What\nis observed of it is asked for again at once; without PATH all "
		"observers end, with 5.03,\nand are counted.\n"},
	{"observe list", "[DEVICE]", CLI_LIMIT, cli_observe_list,
		"who observes what, and whether all was told",
		"Of one device, or of all. STATE is current if what is stored was sent; a "
		"confirmable\nnotification may wait for its ACK. AGE is the time since the "
		"registration, SENT counts\nnotifications since then, CONFIRMED is the age of the "
		"last confirmable one, or of the\nregistration.\n"},
	{"observe push", "PATH [FILE]", CLI_DEVICE | CLI_FORMAT | CLI_MAX_AGE | CLI_DELETE,
		cli_observe_push, "say what is at PATH from now on, for all devices or for one",
		"FILE, or standard input if it is - or not given, holds at most 48 KB; its route "
		"has\nobserve: {push: true}. PATH is that of the devices' requests, as it stands "
		"in a URL.\n--format is the number of a Content-Format, or a media type. "
		"With --delete, without FILE,\nwho observes it hears 4.04, and requests go to the "
		"service.\n"},
	{"observe cancel", "DEVICE [PATH]", 0, cli_observe_cancel,
		"end what a device observes, or what it observes of PATH",
		"The last notification says 5.03; the device may register again. PATH is that of "
		"its\nrequests, as it stands in a URL.\n"},
	{"edhoc identity", "", 0, cli_edhoc_identity,
		"credentials of the gateway, which its devices must know",
		"Nothing of it is secret. With --json it is what postern-coap --edhoc-gateway "
		"takes.\n"},
	{"edhoc sessions", "", CLI_LIMIT | CLI_AFTER | CLI_DEVICE, cli_edhoc_sessions,
		"contexts that devices agreed on by EDHOC",
		"Of one device, or of all. STATE is new until the first request, and over when the "
		"next\none is answered 4.01. --after begins behind a row, which --json shows as "
		"\"after\".\n"},
	{"edhoc end", "DEVICE", 0, cli_edhoc_end, "end the sessions of a device at once",
		"What is in flight is answered. The device may agree on another one: to keep it "
		"out,\nremove it, or put its credential into edhoc.revoked.\n"},
	{"show refused", "", CLI_REASON | CLI_COUNT, cli_show_refused,
		"the last packets that were refused, a few for each reason",
		"When, from where, kid and kid context, where it is malformed, and its first bytes "
		"as\nthey came, never anything that was decrypted. A worker keeps eight for each "
		"reason, and\ncopies ten a second at most.\n"},
	{"trace device", "NAME", CLI_COUNT | CLI_SECONDS, cli_trace_device,
		"what happens to the next packets of a device, stage by stage",
		"Those that name it, whether or not they are its own: ten, or -n. It ends when all "
		"are\nthrough, or after 60 s, or --seconds. Nothing of what they say is shown.\n"},
	{"trace source", "ADDRESS", CLI_COUNT | CLI_SECONDS, cli_trace_source,
		"the same of an IP address", NULL},
	{"events", "", 0, cli_events, "tell what happens from now on, until it is interrupted",
		NULL},
	{"drain", "", CLI_STOP | CLI_RETURN | CLI_PATIENT, cli_drain,
		"take no new requests, and wait until those under way are finished",
		"New requests get 5.03 with a Max-Age of once to twice --return (60s), and /readyz "
		"is\n503. Waits --timeout (60s) at most, and says what is not finished then. "
		"undrain ends it.\n"},
	{"undrain", "", 0, cli_undrain, "take requests again", NULL},
	{"shutdown", "", CLI_PATIENT, cli_shutdown,
		"stop the daemon, and wait until it has stopped", NULL},
	{"check", "FILE", CLI_NO_FILES, cli_check, "check a configuration file; needs no daemon",
		"Also whether the files, directories and groups that it names are there and can "
		"be\nused, with the rights of whoever asks.\n"},
	{"preflight", "[FILE]", 0, cli_preflight,
		"would the gateway start on this machine; needs no daemon",
		"Looks at CPU, workers' CPUs, huge pages, limits, clock, ports, listeners, key, "
		"store "
		"and\nfiles, for the configuration FILE (default " CONF_PATH_DEFAULT "). Each "
		"finding has the\ncommand that mends it. Exit code 1 if the gateway would not "
		"start. Nothing is changed.\n"},
	{"support", "FILE", CLI_CONFIG, cli_support,
		"write a file for whoever helps, without secrets",
		"FILE, which must not be there, gets the configuration without comments and values "
		"of "
		"\nheaders, what preflight, status, stats and show refused say, and the end of the "
		"log.\n"},
	{"key create", "FILE", 0, cli_key_create,
		"make a key-encryption key for the device store; needs no daemon", NULL},
	{"key rotate", "", CLI_CONFIG | CLI_PATIENT, cli_key_rotate,
		"replace the key-encryption key of the device store",
		"The key is where the configuration says, or /etc/postern/postern.kek. A daemon "
		"that "
		"runs\nseals the store under the new key while it serves; without one posternctl "
		"does. "
		"What is\ninterrupted leaves a file with both keys, which opens the store, and "
		"goes on "
		"when it is\ncalled again.\n"},
};
const unsigned cli_command_count = sizeof(cli_commands) / sizeof(cli_commands[0]);

const struct cli_option_info cli_options[] = {
	{CLI_ALL, "all", NULL, "counters that are 0 too"},
	{CLI_WORKER, "worker", "N", "counters of one worker"},
	{CLI_LIMIT, "limit", "N", "at most N of them"},
	{CLI_AFTER, "after", "NAME", "only what is behind this one"},
	{CLI_STATE, "state", "STATE", "only devices in this state, as device show names it"},
	{CLI_IDLE, "idle", "TIME", "only devices of which nothing came for so long: 1d"},
	{CLI_LIMITED, "limited", NULL, "only devices that are at a limit of theirs now"},
	{CLI_POLICY, "policy", "NAME", "only devices that name this policy"},
	{CLI_FORMAT, "format", "FORMAT",
		"import: csv or json, instead of guessing from the first character;\n"
		"                       push: 50, or application/json"},
	{CLI_NEVER_USED, "never-used", NULL, "keys without gateway_seq were in no gateway before"},
	{CLI_REPLACE, "replace", NULL,
		"retire devices with other keys, change those with other settings"},
	{CLI_FROM, "from", "WHAT",
		"resync: next sequence number of a device with recovery: floor;\n"
		"                       convert: libcoap, aiocoap or leshan"},
	{CLI_SERVER, "server", NULL, "FILE is of a server: its sender id is our gateway_id"},
	{CLI_OUT, "out", "FILE", "make this file, of mode 0600, instead of using a pipe"},
	{CLI_DEVICE, "device", "NAME", "only of this device, or for it"},
	{CLI_PORT, "port", "NAME", "only of this port, as the configuration names it"},
	{CLI_COUNT, "count", "N", "end after N of them; show refused: at most N"},
	{CLI_SECONDS, "seconds", "S", "end after S seconds (default 60)"},
	{CLI_MEGABYTES, "megabytes", "M", "end before the file is larger (default 64)"},
	{CLI_MAX_AGE, "max-age", "S", "good for S seconds instead of until the next push"},
	{CLI_DELETE, "delete", NULL, "take away what was pushed"},
	{CLI_PLAIN, "plain", NULL, "messages opened, not frames"},
	{CLI_STOP, "stop", NULL, "stop the daemon afterwards"},
	{CLI_RETURN, "return", "TIME", "when devices are told to come back: 60s"},
	{CLI_NO_FILES, "no-files", NULL, "do not look at what the configuration names"},
	{CLI_DRY_RUN, "dry-run", NULL, "only print what would change"},
	{CLI_REASON, "reason", "COUNTER", "only of this one: drop_tag, or tag"},
	{CLI_EFFECTIVE, "effective", NULL, "also keys that the file does not give"},
	{CLI_CONFIG, "config", "FILE", "configuration (default " CONF_PATH_DEFAULT ")"},
};
const unsigned cli_option_count = sizeof(cli_options) / sizeof(cli_options[0]);
