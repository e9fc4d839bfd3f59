"""An exporter that takes no time: every file is written as ever, only what is in the model's file is not ONNX."""

from typing import Any

import pytest

import export.publish
from export.bundle import encode_bundle
from export.parity import ParityResult


def export_quickly(patches: pytest.MonkeyPatch) -> None:
    """Let the bundle's bytes stand for the ONNX file: they are equal where it would be."""

    def compare(bundle: object, session: object, images: Any, *, origin: Any) -> ParityResult:
        del bundle, session
        return ParityResult(
            num_images=len(images),
            images=origin,
            max_abs_error=0.0,
            bound=1.0,
            label_agreement=1.0,
            num_decided=0,
            provider="none",
            worst_image=0,
            worst_class=0,
            passed=True,
        )

    patches.setattr(export.publish, "to_onnx", encode_bundle)
    patches.setattr(export.publish, "open_session", lambda payload, **_: payload)
    patches.setattr(export.publish, "compare", compare)
