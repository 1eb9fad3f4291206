# PLVL on RefCOCO with every fault of the published code, to repeat its numbers: boxes cut to whole
# pixels, crops that may lose the target, "bright" mirrored to "bleft", masks compared in the
# stretched 448 px frame.
#
#   bash tools/dist_test.sh configs/refcoco/PLVL-published-refcoco.py 1 --load-from CKPT
_base_ = ["./PLVL-refcoco.py"]

model = dict(postprocessor=dict(frame="input"))
metrics = [dict(type="RECMetric", frame="input"), dict(type="RESMetric", frame="input")]
tested = dict(pipeline=dict(targets=dict(truncate_boxes=True)))
split = dict(dataset=tested, evaluator=metrics)

train_dataloader = dict(
    dataset=dict(
        pipeline=dict(
            targets=dict(truncate_boxes=True),
            crop=dict(
                spare_positions="published",
                steps=[
                    dict(type="ResizeSide", size=[400, 500, 600], side="short", backend="pil"),
                    dict(type="RandomTargetCrop", size=[384, 600], acceptance="published"),
                ],
            ),
            flip=dict(word_swap="published"),
        )
    )
)
val_dataloader = dict(dataset=tested)
val_evaluator = metrics
test_splits = dict(val=split, testA=split, testB=split)
del metrics, tested, split
