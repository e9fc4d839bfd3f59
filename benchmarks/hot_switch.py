"""100,000 predictions during 100 hot switches: none fails, none is answered by a half-switched model.

Twelve versions of a ResNet-8 answer one set of images, each in its own way; threads call while the current version is
switched by the link an agent uses. Every answer's classes must be, whole, those of the version whose digest it names.
``python -m benchmarks.hot_switch [--predictions 100000] [--switches 100]``
"""

import argparse
import dataclasses
import json
import statistics
import tempfile
import threading
import time
from pathlib import Path

import msgspec
import torch

from edge.serving import Predictor
from edge.versions import ONNX, Versions
from export.bundle import Bundle, Provenance
from export.publish import export_model, random_images
from shared.backbones import build_backbone
from shared.heads import Head
from shared.settings import ModelSettings
from shared.tensors import shared_state

RESULTS = Path(__file__).parent / "results" / "hot_switch.json"
VERSIONS = 12
THREADS = 2
IMAGES = 4
CLASSES = 10
DIGEST = "0" * 64


def bundle(version: int) -> Bundle:
    """Return one version: a backbone and a head of its own, so that a mixture of two would show."""
    model = ModelSettings(backbone="resnet8", image_size=8, channels=1)
    module = build_backbone("resnet8", image_size=8, channels=1, seed=version)
    draws = torch.Generator().manual_seed(version)
    return Bundle(
        kind="personal",
        rule="phi",
        class_names=tuple(f"class {label}" for label in range(CLASSES)),
        model=model,
        provenance=Provenance(
            federation="benchmark", round=version, client="ana", shared_digest=DIGEST, etf_digest=DIGEST
        ),
        backbone=shared_state(module),
        head=Head(weight=torch.randn(CLASSES, module.feature_dim, generator=draws)),
    )


@dataclasses.dataclass
class Tally:
    """What the callers found."""

    expected: dict[str, list[float]]
    wanted: int
    calls: int = 0
    wrong: list[str] = dataclasses.field(default_factory=list)
    by_digest: dict[str, int] = dataclasses.field(default_factory=dict)
    milliseconds: list[float] = dataclasses.field(default_factory=list)
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def call_until_done(self, predictor: Predictor, pixels: object) -> None:
        """Call and check until everybody together has called often enough."""
        while self.calls < self.wanted and not self.wrong:
            started = time.perf_counter()
            try:
                answers = predictor.predict(pixels, top_k=CLASSES)
            except Exception as error:  # noqa: BLE001 - any failure is what is counted
                self.wrong.append(repr(error))
                return
            took = 1000 * (time.perf_counter() - started)
            fits = [*answers.classes.flatten().tolist(), *answers.scores.flatten().tolist()] == self.expected[
                answers.digest
            ]
            with self.lock:
                self.calls += 1
                self.milliseconds.append(took)
                self.by_digest[answers.digest] = self.by_digest.get(answers.digest, 0) + 1
                if not fits:
                    self.wrong.append(f"not the answers of {answers.digest}")


def main() -> None:
    """Run, print and keep the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--predictions", type=int, default=100_000)
    parser.add_argument("--switches", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), options.predictions, options.switches)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(msgspec.json.format(json.dumps(result), indent=1) + "\n")
    print(json.dumps(result, indent=1))


def run(state: Path, predictions: int, switches: int) -> dict[str, object]:
    """Switch evenly over the predictions; return the counts."""
    first = bundle(1)
    pixels = random_images(first.model, first.class_names, count=IMAGES)
    expected = {}
    versions = Versions(state)
    for version in range(1, VERSIONS + 1):
        path = versions.folder(version) / ONNX
        record = export_model(bundle(version), images=pixels, images_source="seeded-random:0", path=path)
        alone = Predictor(path, device="cpu").predict(pixels.images.numpy(), top_k=CLASSES)
        expected[record.sha256] = [*alone.classes.flatten().tolist(), *alone.scores.flatten().tolist()]
    versions.switch(1)
    tally = Tally(expected, predictions)
    predictor = Predictor(state, device="cpu")
    threads = [
        threading.Thread(target=tally.call_until_done, args=(predictor, pixels.images.numpy())) for _ in range(THREADS)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    done = 0
    while any(thread.is_alive() for thread in threads):
        if done < switches and tally.calls >= (done + 1) * predictions / (switches + 1):
            done += 1
            versions.switch(1 + done % VERSIONS)
        time.sleep(0.001)
    times = sorted(tally.milliseconds)
    return {
        "predictions": tally.calls,
        "switches": done,
        "failed_or_mixed": len(tally.wrong),
        "first_trouble": tally.wrong[:1],
        "versions_that_answered": len(tally.by_digest),
        "threads": THREADS,
        "images_per_prediction": IMAGES,
        "seconds": round(time.perf_counter() - started, 1),
        "ms_p50": round(statistics.median(times), 3),
        "ms_p99": round(times[int(0.99 * len(times))], 3),
        "ms_max": round(times[-1], 1),
    }


if __name__ == "__main__":
    main()
