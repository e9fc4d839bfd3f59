"""Memory of a process that does nothing but run one model: started as ``python -m export.footprint KIND FILE BATCH``.

KIND is "onnx" (FILE a graph, run by ONNX Runtime without torch in the process), "eager" or "compiled" (FILE a bundle).
Prints the peak resident size in KiB, from Linux's own count.
"""

import sys
from pathlib import Path


def peak_kib() -> int:
    """Return the largest resident size this process has had, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def run_onnx(file: str, batch: int) -> None:
    """Run a graph once on zeros, on one thread."""
    import numpy as np  # noqa: PLC0415 - each kind loads only what it measures
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    (images,) = session.get_inputs()
    session.run(None, {images.name: np.zeros([batch, *images.shape[1:]], np.float32)})


def run_torch(file: str, batch: int, *, compiled: bool) -> None:
    """Run a bundle's model once on zeros, on one thread."""
    import torch  # noqa: PLC0415

    from export.bundle import read_bundle  # noqa: PLC0415

    torch.set_num_threads(1)
    bundle = read_bundle(Path(file))
    module = bundle.module()
    size = bundle.model.image_size
    with torch.inference_mode():
        (torch.compile(module) if compiled else module)(torch.zeros(batch, bundle.model.channels, size, size))


if __name__ == "__main__":
    kind, file, batch = sys.argv[1:]
    if kind == "onnx":
        run_onnx(file, int(batch))
    else:
        run_torch(file, int(batch), compiled=kind == "compiled")
    sys.stdout.write(f"{peak_kib()}\n")
