"""The same files on CUDA: run where there is a device, reported as not run where there is none."""

import pytest
import torch

from export.bundle import Bundle
from export.graph import to_onnx
from export.options import GraphOptions, Precision
from export.parity import torch_logits
from export.running import logits_of, with_logits
from export.runtime import cuda_loads, load_runtime, open_session
from export.views import views
from tests.export.samples import make_bundle, make_images, model_settings

BACKBONES = ("resnet8", "resnet20", "resnet18-stem3", "resnet18-stem7", "squeezenet1_1")
TOLERANCE: dict[Precision, float] = {"fp32": 1e-4, "fp16": 2e-2}
"""Per unit of the largest logit: cuDNN may choose Winograd convolutions, which sum otherwise than the CPU does."""


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="not run: no CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_file_computes_on_cuda_what_pytorch_computes(backbone: str, precision: Precision) -> None:
    if not cuda_loads(load_runtime()):
        pytest.skip("not run: ONNX Runtime's CUDA libraries do not load")
    model = model_settings(backbone, image_size=32, channels=3)
    bundle: Bundle = make_bundle(model)
    options = GraphOptions(precision=precision, input="uint8-nhwc", output="probabilities", top_k=3)
    images = make_images(model, count=16)
    session = open_session(with_logits(to_onnx(bundle, options)))
    assert session.get_providers()[0] == "CUDAExecutionProvider"
    found = logits_of(session, views(images.images, model, options), model, options)
    expected = torch_logits(bundle, images.images, options)
    allowed = expected[:, bundle.head.keep] if bundle.head.keep is not None else expected
    assert float((found - expected).abs().max()) <= TOLERANCE[precision] * max(1.0, float(allowed.abs().max()))
