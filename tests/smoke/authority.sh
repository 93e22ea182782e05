# SPDX-License-Identifier: BSD-3-Clause
# Certificates of devices and of who makes them, sourced by tests/smoke/edhoc_trusts_an_authority.test and
# tests/lab/unit.sh.
# shellcheck shell=bash

# authority NAME: NAME.pem, and NAME.key of it.
authority() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" &&
		openssl req -x509 -new -key "$1.key" -subj "/CN=$1" -days 30 -out "$1.pem" \
			-addext keyUsage=critical,keyCertSign
}

# device_certificate NAME AUTHORITY CN USAGE [SERIAL]: NAME.json for postern-coap, which sends the certificate.
device_certificate() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" &&
		openssl req -new -key "$1.key" -subj "/CN=$3" -out "$1.csr" &&
		openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -days 20 \
			-set_serial "${5:-0x77}" -extfile <(echo "keyUsage=critical,$4") -out "$1.pem" || return
	(
		umask 077
		jq -n --arg credential "$(openssl x509 -in "$1.pem" -outform der | od -An -v -tx1 | tr -d ' \n')" \
			--arg private_key "$(openssl ec -in "$1.key" -text -noout | tr -d ' :\n' |
				sed 's/.*priv\([0-9a-f]*\)pub.*/\1/; s/^00//')" \
			'{$credential, $private_key, id_cred: "x5chain"}' >"$1.json"
	)
}
