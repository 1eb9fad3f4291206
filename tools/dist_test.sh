#!/usr/bin/env bash
# Test on several devices:
#   bash tools/dist_test.sh CONFIG NUM_GPUS --load-from CKPT [options of tools/test.py]
# NUM_GPUS 0 means the CPU; CPU_PROCESSES=N uses N processes on it (gloo).
exec bash "$(dirname "$0")/launch.sh" test "$@"
