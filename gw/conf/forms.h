// SPDX-License-Identifier: BSD-3-Clause
// Rules for the strings of some keys of the schema, each with the words for "must be ...".

#ifndef POSTERN_GW_CONF_FORMS_H
#define POSTERN_GW_CONF_FORMS_H

#include "gw/conf/key.h"

extern const struct conf_form conf_access_form;
extern const struct conf_form conf_kek_form;
extern const struct conf_form conf_identity_form;
extern const struct conf_form conf_port_name_form;
extern const struct conf_form conf_netdev_form;
extern const struct conf_form conf_pci_form;
extern const struct conf_form conf_memif_form;
extern const struct conf_form conf_check_path_form;
extern const struct conf_form conf_upstream_name_form;
extern const struct conf_form conf_quotable_form;
extern const struct conf_form conf_words_form;
extern const struct conf_form conf_status_form;
extern const struct conf_form conf_code_form;
extern const struct conf_form conf_policy_name_form;
extern const struct conf_form conf_trust_name_form;
extern const struct conf_form conf_group_form;
extern const struct conf_form conf_isa_form;
extern const struct conf_form conf_listen_form;
extern const struct conf_form conf_host_form;
extern const struct conf_form conf_hex_form;
extern const struct conf_form conf_authority_form;
extern const struct conf_form conf_header_name_form;
extern const struct conf_form conf_header_value_form;

#endif
