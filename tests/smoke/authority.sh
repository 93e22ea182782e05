# SPDX-License-Identifier: BSD-3-Clause
# Certificates of devices and of who makes them, sourced by tests/smoke/edhoc_trusts_an_authority.test,
# tests/smoke/edhoc_chains_come_in_blocks.test and tests/lab/unit.sh.
# shellcheck shell=bash

# authority NAME: NAME.pem, and NAME.key of it.
authority() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" &&
		openssl req -x509 -new -key "$1.key" -subj "/CN=$1" -days 30 -out "$1.pem" \
			-addext keyUsage=critical,keyCertSign
}

# intermediate NAME AUTHORITY: the same of an authority below another one, with what such certificates have.
intermediate() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" &&
		openssl req -new -key "$1.key" -subj "/C=XX/O=A maker of devices/OU=Certificates of devices/CN=$1" \
			-out "$1.csr" &&
		openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -days 25 -CAcreateserial -out "$1.pem" \
			-extfile <(
				echo "basicConstraints=critical,CA:true"
				echo "keyUsage=critical,keyCertSign"
				echo "subjectKeyIdentifier=hash"
				echo "authorityKeyIdentifier=keyid"
				echo "crlDistributionPoints=URI:http://crl.maker.example/$2.crl"
			)
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
				sed -E 's/.*priv(00)*([0-9a-f]*)pub.*/\2/; :pad; s/^.{0,63}$/0&/; t pad')" \
			'{$credential, $private_key, id_cred: "x5chain"}' >"$1.json"
	)
}
