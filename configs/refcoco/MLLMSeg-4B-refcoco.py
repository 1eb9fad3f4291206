# MLLMSeg on InternVL2.5-4B (InternViT-300M, Qwen2.5-3B) for RES and REC.
#
# Reported: no numbers for this size. Ours: not trained; layout and outputs are checked against
# recorded ones (tests/parity).
#
#   bash tools/dist_train.sh configs/refcoco/MLLMSeg-4B-refcoco.py 4
#   bash tools/dist_test.sh configs/refcoco/MLLMSeg-4B-refcoco.py 4 \
#       --load-from pretrain_weights/MLLMSeg_InternVL2_5_4B_RES
# The published mode ("teacher_forced") shows the true answers to the model. To test without them:
#       --cfg-options model.answer_mode=constrained   (or generate)
#
# Recipe: as MLLMSeg-8B-refcoco.py.
# Hardware: 4 GPUs in the recipe of the 8B. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/internvl2_5/4b.py",
    "../_base_/datasets/mllmseg_refer.py",
    "../_base_/schedules/mllmseg_50k.py",
    "../_base_/runtime/mllm.py",
]

model = dict(mllm=dict(pretrained="pretrain_weights/InternVL2_5-4B"))
