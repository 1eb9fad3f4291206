# RefCOCO, as PLVL reads it; its other data sets inherit the two pipelines from here. Published
# order, sizes and arithmetic; each fault of the published augmentation is mended, and stands beside
# its option as a comment (docs/transforms.md says what each does).
_base_ = ["../refcoco.py"]

tokenizer = dict(type="BertTokenizer", model_file="pretrain_weights/bert-base-uncased/vocab.txt")
expression = dict(
    choose=dict(type="ChooseExpression"), clean=dict(type="CleanExpression", variant="plvl")
)
# Whatever size came before, the input is the image stretched to a square.
tensors = dict(
    resize=dict(type="Resize", size=448, backend="align_corners"),
    tokenize=dict(type="TokenizeExpression", tokenizer=tokenizer, max_tokens=40),
    pack=dict(type="PackGroundingInputs"),
)
train_pipeline = dict(
    _delete_=True,
    load=dict(type="LoadImage"),
    targets=dict(type="LoadTargets", keep_original=False, truncate_boxes=False),  # published: True
    **expression,
    crop=dict(
        type="RandomApply",
        prob=0.5,
        spare_positions="clean",  # "published"
        steps=[
            dict(type="ResizeSide", size=[400, 500, 600], side="short", backend="pil"),
            dict(type="RandomTargetCrop", size=[384, 600], acceptance="clean"),  # "published"
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
    flip=dict(type="RandomHorizontalFlip", prob=0.5, word_swap="clean"),  # "published"
    **tensors,
)
test_pipeline = dict(
    _delete_=True,
    load=dict(type="LoadImage"),
    targets=dict(type="LoadTargets", truncate_boxes=False),  # published: True
    **expression,
    scale=dict(type="ResizeSide", size=448, backend="pil"),
    **tensors,
)

tested = dict(dataset=dict(pipeline=test_pipeline))
train_dataloader = dict(batch_size=20, dataset=dict(group_by="expression", pipeline=train_pipeline))
val_dataloader = tested
test_splits = dict(val=tested, testA=tested, testB=tested)

# What stands above by its parts is no key of its own: overriding it would change nothing.
del tokenizer, expression, tensors, train_pipeline, test_pipeline, tested
