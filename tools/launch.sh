#!/usr/bin/env bash
# Shared part of dist_train.sh and dist_test.sh:  launch.sh train|test CONFIG NUM_GPUS [options]
set -euo pipefail

if [[ $# -lt 3 || ! $3 =~ ^[0-9]+$ ]]; then
    echo "usage: bash tools/dist_$1.sh CONFIG NUM_GPUS [options of tools/$1.py]" >&2
    exit 2
fi
# The package itself can be imported from this folder; its dependencies only once it is installed.
if ! python -c 'import mmengine' 2>/dev/null; then
    echo "vgtoolbox is not installed for '$(command -v python || echo python)';" \
        "run bash tools/install.sh, then source .venv/bin/activate" >&2
    exit 1
fi
script="$(dirname "$0")/$1.py"
config=$2
processes=$3
shift 3

device=()
if [[ $processes == 0 ]]; then
    processes=${CPU_PROCESSES:-1}
    device=(--device cpu)
elif [[ " $* " != *" --device"* ]]; then
    visible=$(python -c 'import torch; print(torch.cuda.device_count())')
    if ((processes > visible)); then
        echo "error: NUM_GPUS is $processes, but $visible GPUs are visible; use 0 for the CPU" >&2
        exit 2
    fi
    device=(--device cuda)
fi
# torchrun would set one thread per process; divide the cores between the processes instead.
cores=$(getconf _NPROCESSORS_ONLN)
threads=$((cores / processes > 0 ? cores / processes : 1))
# The number of threads changes the order of sums. One thread makes the predictions of a test on the
# CPU the same, to the last bit, for any number of processes; CPU_PROCESSES uses more cores.
if [[ $(basename "$script") == test.py && " ${device[*]} $* " == *" --device cpu "* ]]; then
    threads=1
fi
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$threads}
export MKL_NUM_THREADS=${MKL_NUM_THREADS:-$OMP_NUM_THREADS}

if [[ $processes == 1 && ${NNODES:-1} == 1 ]]; then
    exec python "$script" "$config" "${device[@]}" "$@"
fi
if [[ ${NNODES:-1} == 1 ]]; then
    # The system chooses a free port, so that two runs on one machine do not collide.
    rendezvous=(--standalone)
else
    port=${MASTER_PORT:-29500}
    if [[ ${NODE_RANK:-0} == 0 ]] &&
        ! python -c "import socket; socket.create_server(('', $port)).close()" 2>/dev/null; then
        echo "error: port $port is in use on this machine; set MASTER_PORT to a free one" >&2
        exit 2
    fi
    rendezvous=(--nnodes "$NNODES" --node-rank "${NODE_RANK:-0}"
        --master-addr "${MASTER_ADDR:?}" --master-port "$port")
fi
exec python -m torch.distributed.run "${rendezvous[@]}" --nproc-per-node "$processes" \
    "$script" "$config" "${device[@]}" "$@"
