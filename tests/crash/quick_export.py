"""An exporter that takes no time: every file is written as ever, only what is in the model's file is not ONNX."""

import pytest

import edge.candidate
import export.publish
from export.bundle import encode_bundle
from export.parity import ParityResult, Proof


def export_quickly(patches: pytest.MonkeyPatch) -> None:
    """Let the bundle's bytes stand for the ONNX file: they are equal where it would be."""

    parity = ParityResult(
        num_images=1,
        images="held-out",
        max_abs_error=0.0,
        bound=1.0,
        label_agreement=1.0,
        num_decided=0,
        provider="none",
        worst_image=0,
        worst_class=0,
        passed=True,
    )
    proof = Proof(parity=parity, accuracy=None)
    patches.setattr(export.publish, "to_onnx", lambda bundle, *_, **__: encode_bundle(bundle))
    patches.setattr(export.publish, "open_proving", lambda payload: payload)
    patches.setattr(export.publish, "prove", lambda *_, **__: proof)
    # no runtime opens such a file: the gate is told that every answer is right, and lets each model serve
    patches.setattr(edge.candidate, "shadow", lambda _, images: images.labels.clone())
