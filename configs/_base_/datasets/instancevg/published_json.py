# Annotations that InstanceVG publishes: the keys that its datasets share in the *-json.py configs.
# Each of them adds `ann_root`, `split` and the pipeline of the config that it inherits.
_json_test = dict(
    _delete_=True,
    type="InstanceVGJsonDataset",
    data_root="data/seqtr_type",
    image_root="images/mscoco/train2014",
)
_json_train = dict(_json_test, split="train", group_by="ref")
