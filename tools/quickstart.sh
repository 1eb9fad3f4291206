#!/usr/bin/env bash
# Train and test an InstanceVG on a CPU and draw its predictions; only packages are downloaded:
#   bash tools/quickstart.sh              about fifteen minutes of training on two cores
#   bash tools/quickstart.sh --smallest   the same steps in about a minute
# Re-running reuses existing results; an interrupted run resumes.
set -euo pipefail
cd "$(dirname "$0")/.."
config=configs/shapes/InstanceVG-tiny-shapes.py
export SHAPES_ROOT=${SHAPES_ROOT:-data/shapes}
work_dir=work_dirs/quickstart
# A model this small gains more from a second process than from a second thread. Each process gets
# half of the config's batch size, and loads its own data: two cores leave none for loader workers.
export CPU_PROCESSES=2
scenes=()
options=(--cfg-options train_dataloader.batch_size=8 train_dataloader.num_workers=0
    train_dataloader.persistent_workers=False)
# After so little training, the existence head is the best indicator of a missing target. The value
# was chosen on the val split. It does not affect training; the checkpoint records it.
decision=model.postprocessor.existence_thr=0.83
case ${1:-} in
"") options+=(train_cfg.max_epochs=3 train_cfg.val_interval=3) ;;
--smallest)
    SHAPES_ROOT=data/shapes-smallest
    work_dir=work_dirs/quickstart-smallest
    scenes=(--num-train 60 --num-val 10 --num-test 20)
    options+=(train_cfg.max_epochs=1)
    ;;
*)
    echo "usage: bash tools/quickstart.sh [--smallest]" >&2
    exit 2
    ;;
esac

step() { printf '\n[%s of 5] %s\n' "$1" "$2"; }

step 1 "installing"
bash tools/install.sh
export PATH="$PWD/${VENV:-.venv}/bin:$PATH"

step 2 "generating the world of shapes in $SHAPES_ROOT"
python tools/prepare_data.py shapes --out "$SHAPES_ROOT" --scale tiny "${scenes[@]}"

step 3 "training in $work_dir"
bash tools/dist_train.sh $config 0 --work-dir $work_dir --resume "${options[@]}" $decision

step 4 "testing on held-out scenes"
checkpoint=$work_dir/$(cat $work_dir/last_checkpoint | xargs basename)
bash tools/dist_test.sh $config 0 --load-from "$checkpoint" --work-dir $work_dir --out $work_dir/test \
    --cfg-options $decision

step 5 "drawing predictions"
for split in grefs_test refs_test; do
    python tools/draw_predictions.py --config $config --split $split \
        --predictions $work_dir/test/$split/predictions.jsonl --out $work_dir/$split.png
done
printf '\nmetrics:  %s\npictures: %s %s\n' \
    $work_dir/test/metrics.json $work_dir/grefs_test.png $work_dir/refs_test.png
