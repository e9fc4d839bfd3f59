import hashlib
from pathlib import Path

import pytest
import torch

from cloud.settings import BrokerSettings
from shared.blobs import BlobStore
from shared.tensors import decode
from tests.brokers import Embedded
from tests.federation import tiny_settings
from tests.recorder import RecordingProxy
from tests.reference import Reference
from tests.simulation import Simulation
from tests.tiny_clients import CONSTANT
from tests.wire.canaries import found, head_needles, image_needles, number_needles
from tests.wire.haystacks import haystacks
from tests.wire.leaky import LEAKS_IN_ROUND, LeakyWork
from tests.wire.packets import blobs, published, unpacked


@pytest.fixture(scope="module")
def hay(reference: Reference) -> dict[str, bytes]:
    return haystacks(reference.sent, reference.received)


def test_the_recording_holds_the_whole_federation(reference: Reference, hay: dict[str, bytes]) -> None:
    for streams, receivers in ((reference.sent, 1), (reference.received, 3)):
        names = [hashlib.sha256(blob).hexdigest() for stream in streams for blob in blobs(published([stream]))]
        assert names.count(reference.digest) == receivers  # the final model is broadcast
        models = receivers * (3 + 1)  # one a round, and the final one
        assert len(names) == models + 3 * (1 + 3)  # the classifier to each agent, and three updates from it
    assert reference.federation.folder.name.encode() not in hay["bytes sent"]


@pytest.mark.parametrize("client", ["ana", "ben", "cid"])
def test_no_byte_of_a_personal_head_is_on_the_wire(reference: Reference, hay: dict[str, bytes], client: str) -> None:
    federation = reference.federation
    store = federation.store.federation()
    assert store is not None
    public = decode(BlobStore(federation.paths.blobs).get(store.etf_blob)).values()
    wanted = head_needles(federation.state(client), public=public)
    assert len(wanted) > 40
    assert found(wanted, hay) == []


def test_no_image_label_or_histogram_is_on_the_wire(reference: Reference, hay: dict[str, bytes]) -> None:
    images, settings = reference.federation.images["ana"], reference.federation.settings.shared()
    assert found(image_needles(images, settings, planted=CONSTANT), hay) == []
    assert found(number_needles(images, settings), hay) == []


def test_the_tensors_on_the_wire_are_the_shared_ones_and_the_classifier(reference: Reference) -> None:
    shared = decode(BlobStore(reference.federation.paths.blobs).get(reference.digest))
    shapes = {name: tensor.shape for name, tensor in shared.items()}
    packed = 0
    for blob in blobs(published(reference.sent)):
        tensors = decode(blob)
        if any(tensor.dtype == torch.uint8 for tensor in tensors.values()):
            packed += 1
            tensors = {name: values.view(shapes[name]) for name, values in unpacked(blob).items()}
        assert tensors.keys() == {"etf"} or {name: tensor.shape for name, tensor in tensors.items()} == shapes
    assert packed == 3 * 3  # every update


def test_the_same_search_finds_what_a_leaking_agent_sends(tmp_path: Path, embedded_broker: Embedded) -> None:
    endpoint = embedded_broker.endpoint
    password = tmp_path / "password"
    password.write_text(str(endpoint.password))
    with RecordingProxy("127.0.0.1", endpoint.address().port) as proxy:
        url = f"mqtt://127.0.0.1:{proxy.port}"
        broker = BrokerSettings(url=url, username=endpoint.username, password_file=str(password), mqtt="3.1.1")
        settings = tiny_settings(rounds=LEAKS_IN_ROUND, broker=broker)
        with Simulation(tmp_path, settings, works={"ana": LeakyWork}) as simulation:
            simulation.run_to_end()
            assert simulation.states(LEAKS_IN_ROUND)["ana"] == "rejected"
            images = simulation.images["ana"]
            wanted = head_needles(simulation.state("ana"), public=[])
            wanted += image_needles(images, settings.shared(), planted=CONSTANT)
            wanted += number_needles(images, settings.shared())
        caught = found(wanted, haystacks(proxy._sent, proxy._received))
    assert "head in fp32 in blobs" in caught  # that one is compressed
    for what in ("head in fp16", "head in bf16", "image, raw", "image in fp16", "labels in int64"):
        assert f"{what} in blobs" in caught
        assert f"{what} in bytes sent" in caught
        assert f"{what} in payloads on fl/v1/tiny/a/ana/up/c" in caught
    assert "constant image, raw in bytes received" in caught
    assert "constant image in fp16 in bytes received" in caught
    assert "histogram as text in payloads on fl/v1/tiny/a/ana/up/manifest" in caught
