# Ref-ZOM (Hu et al., DMMI, ICCV 2023), as published, read as gRefCOCO is for BEiT-3 systems:
#     data/ref-zom/{refs(final).p, instances.json}   data/images/{train2014,val2014}/COCO_*.jpg
# It has no validation split: the published code validates on test.
_base_ = ["../grefcoco.py"]

refzom = dict(
    type="RefZOMDataset",
    data_root="data",
    ann_root="ref-zom",
    image_root="images/{folder}",
)
tested = dict(refzom, split="test", pipeline={{_base_.val_dataloader.dataset.pipeline}})
metrics = [dict(type="GRECMetric"), dict(type="RefZOMMetric", accept="score")]

train_dataloader = dict(
    dataset=dict(
        refzom,
        _delete_=True,
        split="train",
        group_by="ref",
        pipeline={{_base_.train_dataloader.dataset.pipeline}},
    )
)
val_dataloader = dict(dataset=dict(tested, _delete_=True))
val_evaluator = metrics
test_splits = dict(_delete_=True, test=dict(dataset=tested, evaluator=metrics))
del refzom, tested, metrics
