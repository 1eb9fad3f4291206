# Without instance queries (docs/instancevg.md, "Ablations"): one mask of everything named and the
# probability that there is something, so only GRES and RES mean something.
_base_ = ["./InstanceVG-ablation-no-instances.py"]

model = dict(
    box_head=dict(loss_weight=0.0),
    # Untrained scores decide nothing: existence alone does.
    postprocessor=dict(score_thr=0.0, existence_thr=0.6, nms_thr=None),
)
