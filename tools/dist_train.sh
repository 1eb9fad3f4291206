#!/usr/bin/env bash
# Train on several devices:
#   bash tools/dist_train.sh CONFIG NUM_GPUS [options of tools/train.py]
# NUM_GPUS 0 means the CPU; CPU_PROCESSES=N uses N processes on it (gloo).
# For several machines, set NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT.
exec bash "$(dirname "$0")/launch.sh" train "$@"
