"""ONNX Runtime on whatever this machine has: CUDA where its libraries load, else CPU, and never a word on stderr."""

import contextlib
import ctypes
import importlib.metadata
import io
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import torch

from shared.errors import ExportError

CUDA_LIBRARIES: Final = {
    "12": ("libcudart.so.12", "libcublasLt.so.12", "libcublas.so.12", "libcufft.so.11", "libcurand.so.10"),
    "13": ("libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcufft.so.12", "libcurand.so.10"),
}
"""What ONNX Runtime's CUDA provider links against, by CUDA major version: its NEEDED entries, and cuFFT, which releases
before 1.31 need at load time and later ones on first use."""

DRIVER_AND_CUDNN: Final = ("libcuda.so.1", "libcudnn.so.9")

ERRORS_ONLY: Final = 3
"""ONNX Runtime's log severity: 2 would print warnings about this machine that no user can act on."""

PACKAGES: Final = ("onnxruntime", "onnxruntime-gpu")


def open_session(
    model: bytes | Path,
    *,
    threads: int = 1,
    device: Literal["auto", "cpu"] = "auto",
    external: Mapping[str, bytes] | None = None,
) -> Any:
    """Load a model into an ``onnxruntime.InferenceSession``.

    Args:
        model: The file's bytes, or its path.
        threads: Threads within one operator.
        external: Bytes of the files that a model given as bytes refers to, by name: what was verified is what is
            loaded. A model given by its path reads them from its folder.
        device: "auto" takes CUDA where it works, in full fp32 (no TF32); "cpu" is what parity is measured on.

    Raises:
        ExportError: No runtime is installed, or two are; or the runtime refuses the model.
    """
    ort = load_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    for name, payload in (external or {}).items():
        options.add_external_initializers_from_files_in_memory([name], [payload], [len(payload)])
    providers: list[Any] = ["CPUExecutionProvider"]
    if device == "auto" and cuda_loads(ort):
        providers.insert(0, ("CUDAExecutionProvider", {"use_tf32": "0"}))
    source = model if isinstance(model, bytes) else str(model)
    try:
        return ort.InferenceSession(source, options, providers=providers)
    except refusals() as cause:
        name = "the model" if isinstance(model, bytes) else str(model)
        raise ExportError(f"ONNX Runtime cannot load {name}: {str(cause).splitlines()[0]}") from cause


def load_runtime() -> Any:
    """Import ONNX Runtime.

    Raises:
        ExportError: It is not installed, or both of its packages are: they own the same files, so one breaks the other.
    """
    installed = [name for name in PACKAGES if _is_installed(name)]
    if len(installed) > 1:
        raise ExportError(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files",
            remedy="pip uninstall -y onnxruntime onnxruntime-gpu && pip install 'fedloge[gpu]' (or 'fedloge[cpu]')",
        )
    try:
        import onnxruntime  # noqa: PLC0415 - a choice of two extras, so its absence is an expected error
    except ImportError as cause:
        raise ExportError(
            f"ONNX Runtime cannot be imported: {cause}",
            remedy="pip install 'fedloge[gpu]', or 'fedloge[cpu]' where there is no CUDA device",
        ) from cause
    return onnxruntime


def cuda_loads(ort: Any) -> bool:
    """Tell whether CUDA can be asked for: asked in vain, ONNX Runtime prints errors before it falls back to the CPU.

    The provider must be built in, a device must answer, and every library the provider links against must load.
    """
    if sys.platform != "linux" or "CUDAExecutionProvider" not in ort.get_available_providers():
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an old driver is no error here: the CPU serves
        if not torch.cuda.is_available():
            return False
    libraries = CUDA_LIBRARIES.get(str(getattr(ort, "cuda_version", "")).split(".")[0])
    if libraries is None:
        return False
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):
            ort.preload_dlls()  # finds NVIDIA's wheels, which are on no library path
    return all(_loads(name) for name in (*DRIVER_AND_CUDNN, *libraries))


def refusals() -> tuple[type[Exception], ...]:
    """Return the exceptions with which ONNX Runtime refuses a model or an input; they share no base class."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415 - see load_runtime

    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented")
    return tuple(getattr(state, name) for name in (*names, "RuntimeException", "EngineError", "NoModel"))


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
