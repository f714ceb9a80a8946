"""Faults in what a network learns from, how it learns, and what a run leaves behind."""

from __future__ import annotations

from reliability.planted.fault import Fault, faults

LOOP = "training/test_loop.py::test_{}"

TRAINING: tuple[Fault, ...] = (
    *faults(
        "blazeface/training/assign.py",
        "training/test_assign.py",
        (
            "ignored faces are learnt",
            "torch.where((iou >= EQUAL * limit) & counted, iou, 0.0)",
            "torch.where(iou >= EQUAL * limit, iou, 0.0)",
        ),
        (
            "small faces go unlearnt",
            "limit = iou.topk(min(best, len(iou)), dim=0).values[-1].clamp(max=iou_threshold)",
            "limit = torch.full((len(own),), iou_threshold)",
        ),
        ("large faces take their best anchors only", ".values[-1].clamp(max=iou_threshold)", ".values[-1]"),
        ("anchors that overlap equally well are told apart", "(iou >= EQUAL * limit)", "(iou >= limit)"),
        (
            "near anchors learn that a face is background",
            "either |= near | inside",
            "either |= inside",
        ),
        (
            "assigned anchors are neutral as well",
            "neutral[row] = either & ~positive[row]",
            "neutral[row] = either",
        ),
        ("a touch of an ignore region makes neutral", ".amax(dim=1) > 0.5", ".amax(dim=1) > 0.0"),
        (
            "the owner is counted among the known boxes",
            "torch.where(most > overlap, part[which], owner[row])",
            "torch.where(most > overlap, which, owner[row])",
        ),
    ),
    *faults(
        "blazeface/training/losses.py",
        "training/test_losses.py",
        ("the quality label has a slope", "pair_iou(boxes.detach(), expected)", "pair_iou(boxes, expected)"),
        ("the quality label is one", ".clamp(0.1, 1.0)", ".clamp(1.0, 1.0)"),
        (
            "neutral anchors cost",
            "torch.where(targets.neutral, 0.0, score).sum() / divisor",
            "score.sum() / divisor",
        ),
        (
            "each process divides by its own faces",
            "divisor = self.mean(share.sum()).clamp(min=1)",
            "divisor = share.sum().clamp(min=1)",
        ),
        (
            "a picture without a face divides by zero",
            "divisor = self.mean(share.sum()).clamp(min=1)",
            "divisor = self.mean(share.sum())",
        ),
        ("the box loss weighs one", ".sum() * recipe.box_weight / divisor", ".sum() / divisor"),
        ("the keypoint loss weighs one", ".sum() * recipe.keypoint_weight / divisor", ".sum() / divisor"),
        ("anchors of large faces count in full", "weights[row, anchor] = share", "pass"),
        ("a share falls with the number, not its root", ".clamp(max=1).sqrt()[index]", ".clamp(max=1)[index]"),
        (
            "a negative's weight has a slope",
            "negative_weight * logits.detach().sigmoid() ** gamma",
            "negative_weight * logits.sigmoid() ** gamma",
        ),
        (
            "a negative counts alike whatever its score",
            "negative_weight * logits.detach().sigmoid() ** gamma",
            "negative_weight * torch.ones_like(logits)",
        ),
        (
            "boxes that are still wrong teach nothing",
            "torch.where(positive, 0.25 + labels,",
            "torch.where(positive, labels,",
        ),
        (
            "boxes apart have no distance",
            "1 - pair_iou(boxes, expected) + distance + stretch",
            "1 - pair_iou(boxes, expected) + stretch",
        ),
        ("unknown keypoints count", "return (error * weights).sum(dim=1)", "return error.sum(dim=1)"),
        ("a teacher's keypoints count like a person's", "[0.0, recipe.predicted_weight, 1.0]", "[0.0, 1.0, 1.0]"),
        (
            "keypoints in units of the input",
            "size = box_area(boxes).sqrt().clamp(min=1e-6)[:, None, None]",
            "size = torch.ones_like(box_area(boxes))[:, None, None]",
        ),
        ("keypoints are decoded without their anchor", "2) + centers[:, None]", "2)"),
    ),
    *faults(
        "blazeface/training/optim.py",
        "training/test_optim.py",
        ("norms decay too", '"weight_decay": 0.0}', '"weight_decay": config.weight_decay}'),
        ("no warm-up", "if step < warmup:", "if False:"),
        ("the rate falls to zero", "floor = config.final_rate", "floor = 0.0"),
        ("the average never ramps up", "decay = min(self.decay, (1 + step) / (10 + step))", "decay = self.decay"),
        (
            "the average follows by its decay",
            "[theirs[name] for name in floats], 1 - decay)",
            "[theirs[name] for name in floats], decay)",
        ),
        ("the average forgets counters", "ours[name].copy_(theirs[name])", "pass"),
    ),
    *faults(
        "blazeface/training/loop.py",
        LOOP.format("killed_and_resumed_gives_the_same_losses[2]"),
        (
            "gradients are not clipped",
            "        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)\n",
            "",
            LOOP.format("the_gradient_is_clipped"),
        ),
        (
            "gradients add up over steps",
            "        self.optimizer.zero_grad(set_to_none=True)\n",
            "",
            LOOP.format("gradients_do_not_add_up_over_steps"),
        ),
        ("resuming forgets the average", "            self.ema.network.load_state_dict(ema)\n", ""),
        ("resuming forgets the optimizer", "            self.optimizer.load_state_dict(optimizer)\n", ""),
    ),
    *faults(
        "blazeface/training/faces.py",
        LOOP.format("the_averaged_network_is_the_one_that_is_scored"),
        ("the raw weights are scored", "**score(self.ema.network)}", "**score(self.network)}"),
        (
            "the backbone moves though it is frozen",
            "parameter.requires_grad_(id(parameter) in heads)",
            "parameter.requires_grad_(True)",
            LOOP.format("a_frozen_backbone_stays_as_it_is"),
        ),
        (
            "processes do not share their divisor",
            "DetectionLoss(network.spec, config.loss, processes.mean)",
            "DetectionLoss(network.spec, config.loss)",
            "training/test_distributed.py",
        ),
    ),
    *faults(
        "blazeface/training/distributed.py",
        "training/test_distributed.py",
        ("a mean over processes is their sum", "return total / self.world", "return total"),
        ("every process leads", "return self.rank == 0", "return True", "training/test_processes.py"),
    ),
    *faults(
        "blazeface/training/checkpoint.py",
        "training/test_checkpoint.py",
        ("weights that are not finite replace a good checkpoint", "    if broken is not None:", "    if False:"),
        (
            "a checkpoint is written in place",
            'with staged_file(path) as part, part.open("wb") as file:',
            'with path.open("wb") as file:',
        ),
        (
            "a checkpoint of weights that are not finite is read",
            "if not all(torch.isfinite(value).all() for value in state.values()):",
            "if False:",
        ),
    ),
    *faults(
        "blazeface/models/torch_archive.py",
        "models/test_torch_archive.py",
        ("a checkpoint runs what is in it", "weights_only=True", "weights_only=False"),
    ),
    *faults(
        "blazeface/training/faces.py",
        "training/runs/test_run_folder.py",
        ("changed data changes the schedule", "self.steps_per_epoch or math.ceil", "math.ceil"),
        ("frozen batch norms move", "module.eval()", "pass"),
        (
            "keypoints that no label has are learnt",
            "batch.visibility[:, :, columns] * known",
            "batch.visibility[:, :, columns]",
        ),
    ),
    *faults(
        "blazeface/data/dataset.py",
        "data/test_dataset.py",
        ("missing pictures are drawn for ever", "weights[index] = 0.0", "pass"),
    ),
    *faults(
        "blazeface/models/tensor_file.py",
        "models/test_weights.py",
        ("the same weights are other bytes", "sort_keys=True, ", ""),
    ),
    *faults(
        "blazeface/export/formats/onnx_opset.py",
        "export/test_onnx_opset.py",
        ("Resize of set 10 is taken for that of 11", '"Resize": 11,', '"Resize": 10,'),
        ("a set that lacks an attribute is declared", "and not without_effect(node, attribute)", "and False"),
    ),
    *faults(
        "blazeface/cli/train.py",
        "cli/test_train.py::test_a_run_leaves_weights_export_report_and_logs",
        (
            "the raw weights are shipped",
            "finish(trainer.ema.network, config,",
            "finish(trainer.network.eval(), config,",
        ),
    ),
    *faults(
        "blazeface/training/preflight.py",
        "cli/test_train.py::test_a_run_leaves_weights_export_report_and_logs",
        ("a run takes another's folder", "if (out / name).exists():", "if False:"),
    ),
    *faults(
        "blazeface/training/tasks/train.py",
        "training/test_tasks.py",
        (
            "tasks: the raw weights are given",
            "return trainer.ema.network if trainer.run(task, out) else None",
            "return trainer.network if trainer.run(task, out) else None",
        ),
        ("tasks: gradients are clipped as the detectors'", "            clip=CLIP,\n", ""),
        (
            "tasks: resuming forgets the average",
            'trainer.load(found["network"], found["average"], found["optimizer"], found["step"])',
            'trainer.load(found["network"], found["network"], found["optimizer"], found["step"])',
        ),
    ),
    *faults(
        "blazeface/data/crops.py",
        "data/test_crops.py",
        (
            "keypoints beyond a mosaic's tile stay visible",
            "seen = ((keypoints >= 0) & (keypoints < size)).all(axis=2)",
            "seen = ((keypoints >= 0) & (keypoints < input_size)).all(axis=2)",
        ),
        (
            "a face whose middle is cut off is asked for",
            "ignore = sample.ignore | ~inside | (",
            "ignore = sample.ignore | (",
        ),
        ("specks are asked for", " | (side < recipe.learnable * input_size)", ""),
        (
            "a mosaic's tiles go column by column",
            "np.array([i % tiles, i // tiles], np.float32) * size",
            "np.array([i // tiles, i % tiles], np.float32) * size",
        ),
        (
            "an ignore region reaches into the next tile",
            "cut = np.where(crop.ignore[:, None], np.clip(crop.boxes, 0, np.tile(size, 2)), crop.boxes)",
            "cut = crop.boxes",
        ),
    ),
)
