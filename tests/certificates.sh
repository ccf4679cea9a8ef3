#!/bin/sh
# Makes certificates for tests: a CA, and of it a certificate that nodes at all of these hosts may have.
#
#     sh tests/certificates.sh FOLDER HOST...
#
# They are valid from some days ago, where there is a faketime, for nodes whose clock is set back. FOLDER then has ca.pem,
# ca.key, node.pem, node.key, and optfile for -ssl_dist_optfile of erl, with the certificates of both sides checked.

set -eu
folder=$1
shift
mkdir -p "$folder"
cd "$folder"
folder=$(pwd)
names=
for host in "$@"; do
    names="$names${names:+,}DNS:$host"
    case $host in
    *[!0-9.:a-f]*) ;;
    *.*.*.* | *:*) names="$names,IP:$host" ;;
    esac
done
# faketime fails where one of the same process id has left its file in /dev/shm; the next has another.
openssl() {
    if command -v faketime >/dev/null; then
        for try in 1 2 3 4; do
            ! faketime -f -30d openssl "$@" 2>/dev/null || return 0
        done
        return 1
    else
        command openssl "$@" 2>/dev/null
    fi
}
curve="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $curve -days 400 -subj "/CN=harnessd tests CA" -keyout ca.key -out ca.pem
openssl req $curve -subj "/CN=harnessd tests" -keyout node.key -out node.csr
printf 'subjectAltName=%s\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n' "$names" >node.ext
openssl x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 400 -extfile node.ext -out node.pem
common="{certfile, \"$folder/node.pem\"}, {keyfile, \"$folder/node.key\"}, {cacertfile, \"$folder/ca.pem\"}, {verify, verify_peer}"
cat >optfile <<END
[{server, [$common, {fail_if_no_peer_cert, true}, {secure_renegotiate, true}]},
 {client, [$common, {secure_renegotiate, true}]}].
END
