#!/usr/bin/env bash
# Test on several devices:
#   bash tools/dist_test.sh CONFIG NUM_GPUS --load-from CKPT [options of tools/test.py]
# NUM_GPUS 0 is the CPU; CPU_PROCESSES=N spreads it over N processes (gloo).
exec bash "$(dirname "$0")/launch.sh" test "$@"
