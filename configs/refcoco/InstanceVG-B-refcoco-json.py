# InstanceVG-B-refcoco.py on the annotations that InstanceVG publishes:
#     data/seqtr_type/annotations/mixed-seg/instances_nogoogle.json
#     data/seqtr_type/images/mscoco/train2014/COCO_train2014_*.jpg
# InstanceVG's page calls the file instances_nogoogle_withid.json: name it in `ann_file`, by
# --cfg-options train_dataloader.dataset.ann_file=... and so on, or rename it.
_base_ = ["./InstanceVG-B-refcoco.py"]

_mixed = dict(
    _delete_=True,
    type="InstanceVGJsonDataset",
    data_root="data/seqtr_type",
    ann_root="annotations/mixed-seg",
    image_root="images/mscoco/train2014",
)
_tested = dict(_mixed, pipeline={{_base_.val_dataloader.dataset.pipeline}})
train_dataloader = dict(
    dataset=dict(
        _mixed,
        split="train",
        group_by="ref",
        pipeline=_base_.train_dataloader.dataset.datasets[0].pipeline,
    )
)
val_dataloader = dict(dataset=dict(_tested, split="val_refcoco_unc"))
test_splits = dict(
    val_refcoco_unc=dict(dataset=dict(_tested, split="val_refcoco_unc")),
    testA_refcoco_unc=dict(dataset=dict(_tested, split="testA_refcoco_unc")),
    testB_refcoco_unc=dict(dataset=dict(_tested, split="testB_refcoco_unc")),
    val_refcocoplus_unc=dict(dataset=dict(_tested, split="val_refcocoplus_unc")),
    testA_refcocoplus_unc=dict(dataset=dict(_tested, split="testA_refcocoplus_unc")),
    testB_refcocoplus_unc=dict(dataset=dict(_tested, split="testB_refcocoplus_unc")),
    val_refcocog_umd=dict(dataset=dict(_tested, split="val_refcocog_umd")),
    test_refcocog_umd=dict(dataset=dict(_tested, split="test_refcocog_umd")),
)
