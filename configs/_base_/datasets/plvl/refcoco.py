# RefCOCO with the pipelines of PLVL, which its other datasets inherit. Order, sizes and arithmetic
# are as published. Each defect of the published augmentation is corrected; the published value is
# in a comment next to the option (docs/transforms.md explains them).
_base_ = ["../refcoco.py"]

_tokenizer = dict(type="BertTokenizer", model_file="pretrain_weights/bert-base-uncased/vocab.txt")
_expression = dict(
    choose=dict(type="ChooseExpression"), clean=dict(type="CleanExpression", variant="plvl")
)
# Whatever the size so far, the input is the image stretched to a square.
_tensors = dict(
    resize=dict(type="Resize", size=448, backend="align_corners"),
    tokenize=dict(type="TokenizeExpression", tokenizer=_tokenizer, max_tokens=40),
    pack=dict(type="PackGroundingInputs"),
)
_train_pipeline = dict(
    _delete_=True,
    load=dict(type="LoadImage"),
    targets=dict(type="LoadTargets", keep_original=False, truncate_boxes=False),  # published: True
    **_expression,
    crop=dict(
        type="RandomApply",
        prob=0.5,
        spare_positions="corrected",  # "published"
        steps=[
            dict(type="ResizeSide", size=[400, 500, 600], side="short", backend="pil"),
            dict(type="RandomTargetCrop", size=[384, 600], acceptance="corrected"),  # "published"
        ],
    ),
    scale=dict(type="ResizeSide", size=[448, 416, 384, 352, 320, 288, 256], backend="pil"),
    jitter=dict(
        type="RandomApply",
        prob=0.8,
        steps=[
            dict(type="ColorJitter", brightness=0.4, contrast=0.4, saturation=0.4, backend="pil")
        ],
    ),
    flip=dict(type="RandomHorizontalFlip", prob=0.5, word_swap="corrected"),  # "published"
    **_tensors,
)
_test_pipeline = dict(
    _delete_=True,
    load=dict(type="LoadImage"),
    targets=dict(type="LoadTargets", truncate_boxes=False),  # published: True
    **_expression,
    scale=dict(type="ResizeSide", size=448, backend="pil"),
    **_tensors,
)

_tested = dict(dataset=dict(pipeline=_test_pipeline))
train_dataloader = dict(
    batch_size=20, dataset=dict(group_by="expression", pipeline=_train_pipeline)
)
val_dataloader = _tested
test_splits = dict(val=_tested, testA=_tested, testB=_tested)
