# Ablation of PLVL-tiny-shapes.py: no language in the backbone, only in the decoder after it.
#
# Ours, test split, percent:  REC Acc@0.5 85.9, RES mIoU 69.1; with language 96.2 and 80.0.
#
#   bash tools/dist_train.sh configs/shapes/PLVL-tiny-shapes-late.py 0
#
# Hardware: one CPU core (OMP_NUM_THREADS=1). Time: 18 minutes. Memory: not measured.
_base_ = ["./PLVL-tiny-shapes.py"]

model = dict(backbone=dict(text_blocks=()))
