# InstanceVG-refzom.py on the annotations that InstanceVG publishes:
#     data/seqtr_type/annotations/ref-zom/instance.json
#     data/seqtr_type/images/mscoco/trainval2014/COCO_*.jpg   train2014 and val2014 in one folder
_base_ = ["./InstanceVG-refzom.py"]

_refzom = dict(
    _delete_=True,
    type="InstanceVGJsonDataset",
    data_root="data/seqtr_type",
    ann_root="annotations/ref-zom",
    image_root="images/mscoco/trainval2014",
)
_tested = dict(_refzom, split="test", pipeline={{_base_.val_dataloader.dataset.pipeline}})
train_dataloader = dict(
    dataset=dict(
        _refzom,
        split="train",
        group_by="ref",
        pipeline={{_base_.train_dataloader.dataset.pipeline}},
    )
)
val_dataloader = dict(dataset=_tested)
test_splits = dict(test=dict(dataset=_tested))
