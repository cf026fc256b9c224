#!/usr/bin/env bash
# Build the collection, install the archive into an empty place and run a playbook from there by its full name.
#
# usage: tools/build-check.sh STAGED_COLLECTION VENV [VENV…]   (each with another ansible-core)
set -euo pipefail
staged=$1 main_venv=$2
shift
inventory=$staged/inventories/local
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$main_venv/bin/ansible-galaxy" collection build "$staged" --output-path "$scratch"
archive=$(echo "$scratch"/wmx-llm_platform-*.tar.gz)
echo "archive: $(du -h "$archive" | cut -f1), $(tar -tzf "$archive" | wc -l) entries"

for venv in "$@"; do
    place=$scratch/$(basename "$venv")
    # What the collection depends on is laid out already; the collection itself comes from the archive alone.
    mkdir -p "$place/ansible_collections"
    for dependency in kubernetes community; do
        ln -s "$main_venv/collections/ansible_collections/$dependency" "$place/ansible_collections/$dependency"
    done
    (
        # Away from the checkout, so that neither its files nor its configuration are found.
        cd "$scratch"
        unset PYTHONPATH ANSIBLE_CONFIG
        export ANSIBLE_COLLECTIONS_PATH=$place PATH=$venv/bin:$PATH
        ansible-galaxy collection install "$archive" --collections-path "$place" --no-deps
        echo "plan with $(ansible-playbook --version | sed -n 1p)"
        ansible-playbook -i "$inventory" wmx.llm_platform.plan \
            --extra-vars "llm_build_dir=$scratch/build llm_evidence_dir=$scratch/evidence"
    )
done
