#!/usr/bin/env bash
# Run ansible-test on the staged collection with a home of its own, so that the user's ~/.ansible stays as it is.
#
# usage: tools/ansible-test.sh STAGED_COLLECTION HOME_DIRECTORY COMMAND [ARGUMENT…]
set -euo pipefail
staged=$1 home=$2 command=$3
shift 3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# ansible-test bootstraps pip into its virtual environments with a script that it downloads unless it lies here.
pip_version=$(python -c '
import re, importlib.util, pathlib
package = pathlib.Path(importlib.util.find_spec("ansible_test").origin).parent
text = (package / "_internal/python_requirements.py").read_text()
print(re.search(r"pip=.([0-9.]+).,", text)[1])')
mkdir -p "$home/.ansible/test/cache"
cp "$here/get_pip.py" "$home/.ansible/test/cache/get_pip_${pip_version//./_}.py"

cd "$staged"
python_version=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
log=$(mktemp)
trap 'rm -f "$log"' EXIT
HOME=$home ansible-test "$command" --python "$python_version" --color no "$@" 2>&1 | tee "$log"
# It is content with finding nothing to test; we are not.
if grep -q 'All targets skipped' "$log"; then
    echo "ansible-test $command found nothing to test in $staged" >&2
    exit 1
fi
