# MLLMSeg on InternVL2.5-8B (InternViT-300M, InternLM2.5-7B) for RES and REC.
#
# Reported, RES oIoU:  RefCOCO val 81.0, testA 82.4, testB 78.7   RefCOCO+ 76.4, 79.1, 72.5
#   RefCOCOg val 79.9, test 80.8
# Reported, REC Acc@0.5:  RefCOCO 93.5, 95.0, 90.3   RefCOCO+ 89.4, 92.3, 85.2   RefCOCOg 91.1, 91.3
# Ours: not trained; layout and outputs are checked against recorded ones (tests/parity).
#
#   bash tools/dist_train.sh configs/refcoco/MLLMSeg-8B-refcoco.py 4
#   bash tools/dist_test.sh configs/refcoco/MLLMSeg-8B-refcoco.py 4 \
#       --load-from pretrain_weights/MLLMSeg_InternVL2_5_8B_RES
# The published mode ("teacher_forced") shows the true answers to the model. To test without them:
#       --cfg-options model.answer_mode=constrained   (or generate)
#
# Published recipe: 50 000 steps of 32 images.
# Hardware: 4 GPUs in the paper. Time: not measured. Memory: not measured.
_base_ = [
    "../_base_/models/internvl2_5/8b.py",
    "../_base_/datasets/mllmseg_refer.py",
    "../_base_/schedules/mllmseg_50k.py",
    "../_base_/runtime/mllm.py",
]

model = dict(mllm=dict(pretrained="pretrain_weights/InternVL2_5-8B"))
