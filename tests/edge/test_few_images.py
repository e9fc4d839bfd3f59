import json
import subprocess
import sys

from tests.reference import Reference


def test_clients_with_fewer_images_than_a_batch_one_class_or_one_image_take_part(reference: Reference) -> None:
    federation = reference.federation
    assert federation.settings.training.batch_size > 5
    for number in federation.committed():
        row = federation.store.round(number)
        assert row is not None
        weights = {part.client: part.record.num_examples for part in row.participants if part.record is not None}
        assert weights == {"ana": 30, "ben": 5, "cid": 1}
    held_out = {report.client: report.figures.num_images for report in federation.store.reports()}
    assert held_out == {"ana": 10, "ben": 2, "cid": 0}


def test_their_models_are_exported_and_verified_on_the_images_they_have(reference: Reference) -> None:
    federation = reference.federation
    models = [federation.state(client) / "personal.onnx" for client in federation.clients]
    words = [sys.executable, "-m", "shared.cli", "export", "verify", *map(str, models), "--json"]
    verified = subprocess.run(words, capture_output=True, check=False, timeout=120)
    assert verified.returncode == 0, verified.stderr
    files = json.loads(verified.stdout)["data"]["files"]
    assert all("parity" in file["checked"] for file in files)
    assert [file["parity"]["images"] for file in files] == ["held-out", "held-out", "training"]
