# Ref-ZOM (Hu et al., DMMI, ICCV 2023) in its published files, with the pipeline of gRefCOCO for
# BEiT-3 systems:
#     data/ref-zom/{refs(final).p, instances.json}   data/images/{train2014,val2014}/COCO_*.jpg
# There is no validation split; the published code validates on test.
_base_ = ["../grefcoco.py"]

_refzom = dict(
    type="RefZOMDataset",
    data_root="data",
    ann_root="ref-zom",
    image_root="images/{folder}",
)
_tested = dict(_refzom, split="test", pipeline={{_base_.val_dataloader.dataset.pipeline}})
_metrics = [dict(type="GRECMetric"), dict(type="RefZOMMetric", accept="score")]

train_dataloader = dict(
    dataset=dict(
        _refzom,
        _delete_=True,
        split="train",
        group_by="ref",
        pipeline={{_base_.train_dataloader.dataset.pipeline}},
    )
)
val_dataloader = dict(dataset=dict(_tested, _delete_=True))
val_evaluator = _metrics
test_splits = dict(_delete_=True, test=dict(dataset=_tested, evaluator=_metrics))
