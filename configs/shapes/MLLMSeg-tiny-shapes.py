# MLLMSeg in miniature on the generated shapes, on a CPU, without downloads: a language model and a
# vision tower with random weights and the classes of configs/refcoco/MLLMSeg-8B-refcoco.py in small
# sizes, all of it trained. All expressions of an image share its prefix, also in training.
#
# Ours, test split, percent:  RES mIoU 80.0, REC Acc@0.5 77.1, GRES gIoU 82.6, T-acc 97.5, N-acc
# 81.3.
#
#   python tools/prepare_data.py shapes --out data/shapes
#   CPU_PROCESSES=2 bash tools/dist_train.sh configs/shapes/MLLMSeg-tiny-shapes.py 0
#   bash tools/dist_test.sh configs/shapes/MLLMSeg-tiny-shapes.py 0 --load-from CKPT
#
# Hardware: two processes on two cores of an AMD EPYC. Time: 25 minutes. Memory: not measured.
_base_ = [
    "../_base_/models/mllmseg_tiny.py",
    "../_base_/datasets/shapes.py",
    "../_base_/schedules/shapes_cpu.py",
    "../_base_/runtime/default.py",
]

# From random weights, the text loss would first turn the states of all expressions toward [SEG],
# until they differ by hardly a hundredth and masks no longer depend on the expression. Therefore
# its weight is small until masks follow the words, and the output table has its own learning rate,
# so that it alone learns that only [SEG] and [REJ] are used.
model = dict(
    language_weight=0.03,
    mllm=dict(
        adapter=dict(
            # Words add up in the state after them from the first step on. With plain random
            # weights, one among fifty tokens has little influence. Qwen2 has the biases for this.
            text_config=dict(model_type="qwen2", initializer_range=0.02),
            local_attention=10.0,
        ),
    ),
)
custom_hooks = [
    dict(
        type="HyperParameterHook", attribute="language_weight", milestones=[4, 8], values=[0.3, 1.0]
    )
]
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys=dict(lm_head=dict(lr_mult=30.0), language_model=dict(lr_mult=0.4)),
    ),
)

_train_pipeline = dict(
    _delete_=True,
    load=dict(type="LoadImage", cache_mb=150),
    draw=dict(type="SampleExpressions", max_expressions=8),
    targets=dict(type="LoadTargets", keep_original=False),
    resize=dict(type="Resize", size=96),
    flip=dict(type="RandomHorizontalFlip", prob=0.5),
    conversations=dict(
        type="WriteReferringConversations",
        prompts=dict(questions=["<image>{expressions}"], answers=[["", "{token}"]], end=""),
        packing="separate",
    ),
    pack=dict(type="PackGroundingInputs"),
)
_test_pipeline = dict(
    _delete_=True,
    load=dict(type="LoadImage"),
    targets=dict(type="LoadTargets"),
    choose=dict(type="ChooseExpression"),
    resize=dict(type="Resize", size=96),
    pack=dict(type="PackGroundingInputs"),
)

train_dataloader = dict(
    # Images with up to eight expressions each. Many small steps learn more than few large ones.
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(group_by="image", pipeline=_train_pipeline),
)
_images = dict(type="ImageBatchSampler")
val_dataloader = dict(batch_size=16, batch_sampler=_images, dataset=dict(pipeline=_test_pipeline))
test_dataloader = dict(batch_size=16, batch_sampler=_images)
val_evaluator = [dict(type="GRESMetric")]
test_splits = dict(
    grefs_test=dict(
        dataset=dict(pipeline=_test_pipeline),
        evaluator=[dict(type="GRESMetric")],
    ),
    refs_test=dict(
        dataset=dict(pipeline=_test_pipeline),
        evaluator=[dict(type="RECMetric"), dict(type="RESMetric")],
    ),
)

train_cfg = dict(max_epochs=12, val_interval=12)
