#!/usr/bin/env bash
# Makes certificates and kubeconfigs with kubeadm, all or nothing.
# usage: pki.sh KUBEADM FOLDER [PROGRAM=USER…]; FOLDER.new holds kubeadm.yaml, whose certificatesDir is FOLDER.new/pki
set -euo pipefail
umask 077
kubeadm=$1 folder=$2
shift 2
# A worker of a killed run may still be at it.
exec 9<"$folder.new"
flock 9
[[ ! -e $folder ]] || exit 0
cd "$folder.new"
# Whatever an interrupted run left would be taken for complete.
find . -mindepth 1 ! -name kubeadm.yaml -delete
"$kubeadm" init phase certs all --config kubeadm.yaml
"$kubeadm" init phase kubeconfig all --config kubeadm.yaml --kubeconfig-dir "$folder.new"
for pair in "$@"; do
  "$kubeadm" kubeconfig user --config kubeadm.yaml --client-name "${pair#*=}" >"${pair%%=*}.conf"
done
install -m 0600 admin.conf "$(dirname "$folder")/kubeconfig"
mv "$folder.new" "$folder"
