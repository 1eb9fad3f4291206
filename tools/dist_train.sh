#!/usr/bin/env bash
# Train on several devices:
#   bash tools/dist_train.sh CONFIG NUM_GPUS [options of tools/train.py]
# NUM_GPUS 0 is the CPU; CPU_PROCESSES=N spreads it over N processes (gloo).
# Several machines: NNODES, NODE_RANK, MASTER_ADDR, MASTER_PORT.
exec bash "$(dirname "$0")/launch.sh" train "$@"
