#!/usr/bin/env bash
# Create a virtual environment in this folder and install the package into it, unless it is up to date:
#   bash tools/install.sh [EXTRA]     e.g. dev
# PYTHON (default python3) is the interpreter and VENV (default .venv) the folder of the environment.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
extra=${1:-}

if [[ ! -x $venv/bin/python ]]; then
    "${PYTHON:-python3}" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || {
        echo "vgtoolbox needs Python 3.10 to 3.13; choose one with PYTHON=python3.12" >&2
        exit 1
    }
    echo "creating the environment $venv"
    "${PYTHON:-python3}" -m venv "$venv"
fi
# Skip the installation if it was made from the same requirements.
wanted=$(cat pyproject.toml <(echo "$PWD" "$extra") | cksum)
stamp="$venv/.installed-vgtoolbox${extra:+-$extra}"
if [[ $(cat "$stamp" 2>/dev/null) != "$wanted" ]]; then
    echo "installing vgtoolbox${extra:+[$extra]} into $venv (some minutes the first time)"
    "$venv/bin/python" -m pip install --quiet --upgrade pip
    "$venv/bin/python" -m pip install --quiet --editable ".${extra:+[$extra]}"
    echo "$wanted" >"$stamp"
fi
