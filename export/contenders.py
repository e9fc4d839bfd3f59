"""What one bundle can be run by: PyTorch as it is, compiled, and ONNX Runtime per precision and provider."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from export.bundle import Bundle
from export.graph import to_onnx
from export.options import TABLE, GraphOptions, Precision, Provider
from export.preprocessing import IMAGES
from export.publish import random_images
from export.runtime import cuda_loads, load_runtime, open_session
from export.tracing import quiet
from export.views import scale
from shared.errors import ExportError
from shared.images import LabelledImages

EAGER: Final = "eager"
COMPILED: Final = "torch.compile"
PRECISIONS: Final[tuple[Precision, ...]] = ("fp32", "fp16", "int8")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contender:
    """A way to run the model.

    Attributes:
        name: Such as "eager" or "cpu fp32".
        start: Takes images (N, C, H, W), float32, 0..1, and returns a call that runs them.
        payload: The graph's bytes; None for PyTorch.
    """

    name: str
    start: Callable[[Tensor], Callable[[], object]]
    payload: bytes | None = None


def contenders(
    bundle: Bundle, *, calibration: LabelledImages | None, compiled: bool, threads: int
) -> tuple[list[Contender], dict[str, str]]:
    """Return what can be run here, PyTorch as it is first, and what cannot, with the reason.

    Args:
        bundle: The model.
        calibration: Images for int8's ranges; without any, noise, which is as fast.
        compiled: Whether to try torch.compile, which takes up to a minute per batch size.
        threads: Of every contender.

    Raises:
        ExportError: The bundle was refused.
    """
    torch.set_num_threads(threads)
    module = bundle.module().requires_grad_(requires_grad=False)
    found = [Contender(name=EAGER, start=lambda images: _torch_call(module, images))]
    missing: dict[str, str] = {}
    if compiled:
        found.append(Contender(name=COMPILED, start=lambda images: _torch_call(_compile(module, images), images)))
    else:
        missing[COMPILED] = "not asked for"
    noise = random_images(bundle.model, bundle.class_names)
    for precision in PRECISIONS:
        options = GraphOptions(precision=precision)
        try:
            payload = to_onnx(bundle, options, calibration=calibration or noise)
        except ExportError as cause:
            missing |= {f"{provider} {precision}": cause.message for provider in providers_of(precision)}
            continue
        for provider in providers_of(precision):
            why = absence(provider)
            if why:
                missing[f"{provider} {precision}"] = why
                continue
            session = open_session(payload, threads=threads, device="cpu" if provider == "cpu" else "auto")
            name = f"{provider} {precision}"
            found.append(Contender(name=name, start=_starter(session), payload=payload))
    return found, missing


def providers_of(precision: Precision) -> tuple[Provider, ...]:
    """Return the providers a precision runs on, by the table of options."""
    (row,) = (row for row in TABLE if row.option == "precision" and row.value == precision)
    return row.providers


def absence(provider: Provider) -> str:
    """Return why a provider cannot be used here; empty where it can."""
    if provider == "cpu" or (provider == "cuda" and cuda_loads(load_runtime())):
        return ""
    if provider == "cuda":
        return "not run: no CUDA device, or ONNX Runtime's CUDA libraries do not load"
    return "not run: this command has no TensorRT session"


def _starter(session: Any) -> Callable[[Tensor], Callable[[], object]]:
    def start(images: Tensor) -> Callable[[], object]:
        feeds = {IMAGES: images.numpy()}
        return lambda: session.run(None, feeds)

    return start


def _torch_call(module: Any, images: Tensor) -> Callable[[], object]:
    def call() -> object:
        with torch.inference_mode():
            return module(images)

    return call


def _compile(module: Any, images: Tensor) -> Any:
    torch.compiler.reset()  # else a second shape would be compiled as any shape, which is slower
    compiled: Any = torch.compile(module, dynamic=False)
    with quiet(), torch.inference_mode():  # it warns of compilers that it does not need
        compiled(images)
    return compiled


def pictures(bundle: Bundle, batch: int) -> Tensor:
    """Return a batch of seeded noise (N, C, H, W), float32, 0..1: what is on an image does not change its time."""
    return scale(random_images(bundle.model, bundle.class_names, count=batch).images)
