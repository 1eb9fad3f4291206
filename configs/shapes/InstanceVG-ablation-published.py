# Ablation of the preset (docs/instancevg.md): "published" instead of "clean", scored in the same
# frame.
#
# Ours, tiny size, test split, percent, after 2 epochs:  GRES gIoU 36.5, T-acc 32.6, REC Acc@0.5
# 63.2, RES mIoU 55.3; "clean" 63.1, 87.9, 76.8, 67.0.
#
#   SHAPES_ROOT=data/shapes SHAPES_SIZE=tiny \
#       bash tools/dist_train.sh configs/shapes/InstanceVG-ablation-published.py 0
# Without SHAPES_SIZE it is the ablation of InstanceVG-small-shapes.py, which was not run.
#
# Hardware: one core of an AMD EPYC. Time: 15 minutes for 2 epochs. Memory: not measured.
_base_ = ["./InstanceVG-{{$SHAPES_SIZE:small}}-shapes.py"]

model = dict(
    query_selector=dict(token_score="mean"),
    decoder=dict(reference="sum"),
    box_head=dict(aux_weights=(1.0, 1.0, 1.0)),
    existence_head=dict(activation="sigmoid"),
    attention_loss=dict(form="logits"),
    postprocessor=dict(mask_resize="nearest"),
)
