# MR-RefCOCO and MR-PACO (Wang et al., SegLLM, ICLR 2025) in their published files:
#     data/segllm/{mr_refcoco,mr_paco}_{train,val}.json   data/paco/paco_lvis_v1_{train,val}.json
#     data/{refcoco,refcoco+,refcocog}/instances.json     data/images/{train2014,train2017}/*.jpg
# A sample is a conversation of several rounds. The pipeline is defined in the leaf of a model. This
# file defines the files and the metric of each round, which is enough to score a prediction file:
#     python tools/eval_predictions.py P.jsonl --config configs/_base_/datasets/segllm.py \
#         --split mr_refcoco_val
_segllm = dict(
    type="SegLLMConversationDataset", data_root="data", ann_root="segllm", image_root="images"
)
_masks = {
    "refcoco": "refcoco/instances.json",
    "refcoco+": "refcoco+/instances.json",
    "refcocog": "refcocog/instances.json",
}
_trained = dict(_segllm, masks=dict(_masks, paco_lvis="paco/paco_lvis_v1_train.json"), max_rounds=6)
_tested = dict(_segllm, masks=dict(_masks, paco_lvis="paco/paco_lvis_v1_val.json"))
_metrics = [dict(type="MultiRoundMetric")]

train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="ConcatGroundingDataset",
        datasets=[dict(_trained, split="mr_refcoco_train"), dict(_trained, split="mr_paco_train")],
    ),
)
test_dataloader = dict(
    batch_size=1, num_workers=4, sampler=dict(type="DefaultSampler", shuffle=False)
)
val_dataloader = dict(test_dataloader, dataset=dict(_tested, split="mr_refcoco_val"))
val_evaluator = _metrics
test_splits = dict(
    mr_refcoco_val=dict(dataset=dict(_tested, split="mr_refcoco_val"), evaluator=_metrics),
    mr_paco_val=dict(dataset=dict(_tested, split="mr_paco_val"), evaluator=_metrics),
)
