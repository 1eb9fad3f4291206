# MLLMSeg on InternVL2.5-8B for GRES, trained further from the merged RES weights.
#
# Reported, gIoU / cIoU / N-acc (protocol "gsva"):  val 75.1 / 71.6 / 73.2
#   testA 77.0 / 76.9 / 72.4   testB 69.7 / 68.5 / 65.5. Ours: not trained.
#
#   bash tools/dist_train.sh configs/gres/MLLMSeg-8B-grefcoco.py 4 \
#       --load-from pretrain_weights/MLLMSeg_InternVL2_5_8B_RES
#   bash tools/dist_test.sh configs/gres/MLLMSeg-8B-grefcoco.py 4 \
#       --load-from pretrain_weights/MLLMSeg_InternVL2_5_8B_GRES
#
# Published recipe: 20 000 steps of 32 images.
# Hardware: 4 GPUs in the paper. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/internvl2_5/8b.py",
    "../_base_/datasets/mllmseg_grefer.py",
    "../_base_/schedules/mllmseg_50k.py",
    "../_base_/runtime/mllm.py",
]

train_cfg = dict(max_iters=40000, val_interval=4000)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-6, by_epoch=False, begin=0, end=1200),
    dict(type="CosineAnnealingLR", by_epoch=False, begin=1200, end=40000, eta_min=0.0),
]
