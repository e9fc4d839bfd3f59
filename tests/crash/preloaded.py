"""What the processes of ``tests.crash.warm`` need, loaded once before they are forked."""

import onnxruntime
import onnxscript
import torch._dynamo
import torch.onnx._internal.exporter._core as exporter

import cloud.cli
import cloud.start
import edge.cli
import edge.publish
import edge.start
import export.publish
import shared.data.folder
import tests.crash.quick_export

OURS = (cloud.cli, cloud.start, edge.cli, edge.publish, edge.start, export.publish, shared.data.folder, tests.crash)
THEIRS = (onnxruntime, onnxscript, torch._dynamo, exporter)
