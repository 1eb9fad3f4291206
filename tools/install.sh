#!/usr/bin/env bash
# Make the virtual environment of this folder and install the package into it, once:
#   bash tools/install.sh [EXTRA]     e.g. dev
# PYTHON (default python3) makes it, VENV (default .venv) is where; both can be set.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
extra=${1:-}

if [[ ! -x $venv/bin/python ]]; then
    "${PYTHON:-python3}" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' || {
        echo "vgtoolbox needs Python 3.10 to 3.12; name one by PYTHON=python3.12" >&2
        exit 1
    }
    echo "making the environment $venv"
    "${PYTHON:-python3}" -m venv "$venv"
fi
# Installed already from these very requirements: nothing to do.
wanted=$(cat pyproject.toml <(echo "$PWD" "$extra") | cksum)
stamp="$venv/.installed-vgtoolbox${extra:+-$extra}"
if [[ $(cat "$stamp" 2>/dev/null) != "$wanted" ]]; then
    echo "installing vgtoolbox${extra:+[$extra]} into $venv (some minutes the first time)"
    "$venv/bin/python" -m pip install --quiet --upgrade pip
    "$venv/bin/python" -m pip install --quiet --editable ".${extra:+[$extra]}"
    echo "$wanted" >"$stamp"
fi
