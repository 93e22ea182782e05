// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/forms.h"

#include "gw/conf/conf.h"
#include "gw/conf/listen.h"
#include "gw/conf/schema.h"
#include "gw/conf/trust_name.h"
#include "gw/conf/url.h"

#include <limits.h>
#include <string.h>

static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char digits[] = "0123456789";

// Whether text consists of these characters only.
static bool made_of(const char *text, const char *a, const char *b, const char *c)
{
	for (; *text; text++)
		if (!strchr(a, *text) && !strchr(b, *text) && !strchr(c, *text))
			return false;
	return true;
}

static bool port_name_fits(const char *text)
{
	return strchr(lower, *text) && *text && made_of(text, lower, digits, "_-");
}

// Whether the kernel takes it as the name of a netdev, and it has no character with a meaning in
// shells or in DPDK's device arguments.
static bool netdev_fits(const char *text)
{
	return text[0] != '.' && text[0] != '-' && made_of(text, lower, upper, "0123456789_.-");
}

static bool pci_fits(const char *text)
{
	static const char shape[] = "hhhh:hh:hh.o";

	for (size_t i = 0; i < sizeof(shape); i++) {
		bool good = shape[i] == 'h' ? text[i] && strchr("0123456789abcdef", text[i])
			: shape[i] == 'o'   ? text[i] >= '0' && text[i] <= '7'
					    : text[i] == shape[i];
		if (!good)
			return false;
	}
	return true;
}

// The commas and other marks of DPDK's device arguments have no place in it.
static bool memif_fits(const char *text)
{
	return text[0] == '/' && made_of(text, lower, upper, "0123456789_./-");
}

// Whether it may stand behind the host of a URL, without a fragment.
static bool check_path_fits(const char *text)
{
	return text[0] == '/' && made_of(text, lower, upper, "0123456789-._~!$&'()*+,;=:@/?%");
}

static bool upstream_name_fits(const char *text)
{
	return strcmp(text, "none") != 0 && strcmp(text, "gone") != 0 &&
		made_of(text, lower, upper, "0123456789_.-");
}

static bool group_fits(const char *text)
{
	return made_of(text, lower, upper, "0123456789_.-") && *text != '-';
}

// Text between quotes in link-format needs no escapes.
static bool quotable_fits(const char *text)
{
	return !strpbrk(text, "\"\\");
}

// Words of relation types (RFC 6690 section 2): visible ASCII, one blank between two.
static bool words_fits(const char *text)
{
	for (const char *at = text; *at; at++)
		if (*at < ' ' || *at > '~' || strchr("\"\\*", *at) ||
			(*at == ' ' && (at == text || at[1] == ' ' || !at[1])))
			return false;
	return true;
}

// 304 answers a request with ETags, and has no code of its own.
static bool status_fits(const char *text)
{
	return strchr("345", text[0]) && strlen(text) == 3 && made_of(text, digits, "", "") &&
		strcmp(text, "304") != 0;
}

// An error: a device sees success only where a backend said so.
static bool code_fits(const char *text)
{
	static const char *const codes[] = {"4.00", "4.01", "4.02", "4.03", "4.04", "4.05", "4.06",
		"4.08", "4.09", "4.12", "4.13", "4.15", "4.22", "4.29", "5.00", "5.01", "5.02",
		"5.03", "5.04", "5.05", "5.08"};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (!strcmp(text, codes[i]))
			return true;
	return false;
}

static bool isa_fits(const char *text)
{
	return made_of(text, lower, digits, "_-");
}

static bool access_fits(const char *text)
{
	return !strcmp(text, CONF_ACCESS_STDERR) || (text[0] == '/' && text[1]);
}

static bool listen_fits(const char *text)
{
	struct sockaddr_storage address;
	socklen_t len;

	return conf_listen_parse(text, &address, &len);
}

// Two digits a byte.
static bool hex_fits(const char *text)
{
	return strlen(text) % 2 == 0 && made_of(text, digits, "abcdef", "ABCDEF");
}

static bool kek_fits(const char *text)
{
	return !strcmp(text, CONF_KEK_CREDENTIAL) || (text[0] == '/' && text[1]);
}

static bool identity_fits(const char *text)
{
	const size_t len = strlen(CONF_CREDENTIAL);

	if (strncmp(text, CONF_CREDENTIAL, len) != 0)
		return text[0] == '/' && text[1];
	// systemd names them so, and none leads out of their directory.
	return text[len] && strcmp(text + len, ".") && strcmp(text + len, "..") &&
		strlen(text + len) <= NAME_MAX &&
		made_of(text + len, lower, upper, "0123456789_.-");
}

static bool trust_name_fits(const char *text)
{
	enum conf_trust_value value;
	size_t len;

	return conf_trust_name_split(text, &len, &value);
}

const struct conf_form conf_access_form = {
	access_fits, CONF_ACCESS_STDERR " or the absolute path of a file"};
const struct conf_form conf_kek_form = {kek_fits, "credential or the absolute path of a file"};
const struct conf_form conf_identity_form = {identity_fits,
	"the absolute path of a file, or " CONF_CREDENTIAL
	" and the name of a credential of the unit"};
const struct conf_form conf_port_name_form = {
	port_name_fits, "a name of lower-case letters, digits, - and _ that begins with a letter"};
const struct conf_form conf_netdev_form = {netdev_fits, "the name of a network device"};
const struct conf_form conf_pci_form = {
	pci_fits, "a PCI address in lower case such as \"0000:01:00.0\""};
const struct conf_form conf_memif_form = {
	memif_fits, "an absolute path of letters, digits, _, -, . and /"};
const struct conf_form conf_check_path_form = {
	check_path_fits, "the path of a URL, maybe with a query, such as /healthz"};
const struct conf_form conf_upstream_name_form = {upstream_name_fits,
	"a name of letters, digits, _, . and - (those with builtin:, none and gone are there "
	"already)"};
const struct conf_form conf_quotable_form = {quotable_fits, "text without \" and \\"};
const struct conf_form conf_words_form = {
	words_fits, "words of visible ASCII but \", \\ and *, with one blank between two"};
const struct conf_form conf_status_form = {status_fits, "an HTTP status, 300 to 599 but 304"};
const struct conf_form conf_code_form = {
	code_fits, "the code of an error of CoAP such as 4.04 or 5.03"};
const struct conf_form conf_trust_name_form = {trust_name_fits,
	"a prefix of 1 to 48 letters, digits, ., _, : and - and one of {cn}, {serial} and {dns}"};
const struct conf_form conf_policy_name_form = {
	group_fits, "a name of letters, digits, _, . and - that does not begin with -"};
const struct conf_form conf_group_form = {group_fits, "the name of a group"};
const struct conf_form conf_isa_form = {isa_fits, "auto or the name of an engine"};
const struct conf_form conf_listen_form = {listen_fits,
	CONF_LISTEN_OFF ", ADDRESS:PORT with an IPv6 address in brackets that is not link-local, "
			"or the absolute path of a UNIX socket"};
const struct conf_form conf_hex_form = {hex_fits, "hex, two digits a byte"};
const struct conf_form conf_host_form = {conf_host_valid, "a host name or address"};
const struct conf_form conf_authority_form = {
	conf_authority_valid, "a host name or address, with or without a port"};
