# MLLMSeg on InternVL2.5-8B for RES and REC.
#   bash tools/dist_train.sh configs/refcoco/MLLMSeg-8B-refcoco.py 4
#   bash tools/dist_test.sh configs/refcoco/MLLMSeg-8B-refcoco.py 4 \
#       --load-from pretrain_weights/MLLMSeg_InternVL2_5_8B_RES
# The published protocol shows the model the true answers ("teacher_forced"); without them:
#       --cfg-options model.protocol=constrained   (or generate)
# Published (8B, oIoU): RefCOCO val/testA/testB 81.0/82.4/78.7, RefCOCO+ 76.4/79.1/72.5, RefCOCOg
# val/test 79.9/80.8; REC Acc@0.5 93.5/95.0/90.3, 89.4/92.3/85.2, 91.1/91.3. Hardware of the paper:
# 4 GPUs. Ours: not trained; the layout and the outputs are checked against recorded ones.
_base_ = [
    "../_base_/models/mllmseg_internvl2_5_8b_lora.py",
    "../_base_/datasets/mllmseg_refer.py",
    "../_base_/schedules/mllmseg_50k.py",
    "../_base_/runtime/mllm.py",
]

model = dict(mllm=dict(pretrained="pretrain_weights/InternVL2_5-8B"))
