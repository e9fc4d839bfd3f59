"""Many clients behind one backbone: who answers what, and what happens while files come in one by one."""

import dataclasses
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from edge.serving import Predictor
from export.bundle import Bundle
from export.layout import BACKBONE, WEIGHTS, head_path
from export.parity import torch_logits
from export.publish import random_images
from export.record import record_path
from export.split import write_backbone, write_complete, write_heads
from shared.errors import VerificationError
from shared.heads import Head
from tests.export.samples import CLASS_NAMES, make_bundle, random_head, trained_looking

CLIENTS = ("ana", "ben", "cid")
IMAGES = random_images(make_bundle().model, CLASS_NAMES, count=6)
PIXELS = IMAGES.images.numpy()


def bundles(seed: int) -> list[Bundle]:
    """A backbone, and a head of each client and of the generic model."""
    plain = make_bundle()
    backbone = trained_looking(plain.model, seed=seed)
    made = []
    for number, client in enumerate((*CLIENTS, None)):
        own = make_bundle(head=random_head(64, masked=client == "ben", seed=10 * seed + number))
        made.append(
            dataclasses.replace(
                own,
                kind="generic" if client is None else "personal",
                rule="etf" if client is None else "phi",
                provenance=msgspec.structs.replace(own.provenance, client=client),
                backbone=backbone,
            )
        )
    return made


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Two split exports of the same clients behind two backbones; tests copy them."""
    made = {}
    for seed in (1, 2):
        folder = tmp_path_factory.mktemp(f"split-{seed}")
        write_backbone(folder, bundles(seed)[0], images=IMAGES, images_source="seeded-random:0")
        write_heads(folder, bundles(seed), images=IMAGES, images_source="seeded-random:0")
        made[seed] = folder
    return made


@pytest.fixture
def folder(exports: dict[int, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(exports[1], tmp_path / "split"))


def classes_of(bundle: Bundle) -> list[int]:
    return torch_logits(bundle, IMAGES.images).argmax(1).tolist()


def test_every_client_is_answered_by_its_own_head_behind_one_backbone(folder: Path) -> None:
    predictor = Predictor(folder)
    digests = set()
    for bundle in bundles(1):
        client = bundle.provenance.client
        answers = predictor.predict(PIXELS, client=client, top_k=3)
        assert answers.classes[:, 0].tolist() == classes_of(bundle)
        expected = torch_logits(bundle, IMAGES.images).softmax(1).topk(3).values
        np.testing.assert_allclose(answers.scores, expected.numpy(), atol=1e-5)
        assert answers.class_names == CLASS_NAMES
        digests.add(answers.digest)
    assert len(digests) == 4
    assert len({id(predictor.model(client).body) for client in (*CLIENTS, None)}) == 1


def test_a_client_without_a_head_is_refused_and_no_name_leaves_the_folder(folder: Path) -> None:
    predictor = Predictor(folder)
    with pytest.raises(VerificationError, match=r"zoe\.onnx"):
        predictor.predict(PIXELS, client="zoe")
    for name in ("../backbone", "/etc/passwd", "a/b", ""):
        with pytest.raises(VerificationError):
            predictor.predict(PIXELS, client=name)
    with pytest.raises(VerificationError, match="is a head alone"):
        Predictor(head_path(folder, "ana")).predict(PIXELS)


def test_a_new_head_takes_over_alone_behind_the_same_backbone(folder: Path) -> None:
    predictor = Predictor(folder)
    before = {client: predictor.model(client) for client in CLIENTS}
    new = dataclasses.replace(bundles(1)[0], head=random_head(64, seed=99))
    write_heads(folder, [new], images=IMAGES, images_source="seeded-random:0")
    assert predictor.predict(PIXELS, client="ana").classes[:, 0].tolist() == classes_of(new)
    assert predictor.model("ana").body is before["ana"].body
    assert predictor.model("ben") is before["ben"]


def test_while_a_new_backbone_comes_in_each_client_keeps_its_old_pair_until_its_own_head_is_there(
    folder: Path, exports: dict[int, Path]
) -> None:
    predictor = Predictor(folder)
    old = {bundle.provenance.client: classes_of(bundle) for bundle in bundles(1)}
    new = {bundle.provenance.client: classes_of(bundle) for bundle in bundles(2)}
    assert old != new

    def answered() -> dict[str | None, list[int]]:
        return {client: predictor.predict(PIXELS, client=client).classes[:, 0].tolist() for client in (*CLIENTS, None)}

    def bring(*names: str) -> None:
        for name in names:
            shutil.copy(exports[2] / name, folder / f"{name}.aside")
            (folder / f"{name}.aside").replace(folder / name)
            answered()  # no call fails at any moment

    assert answered() == old
    bring(WEIGHTS, BACKBONE, f"{BACKBONE}.json")
    assert answered() == old
    bring("heads/ben.onnx", "heads/ben.onnx.json")
    assert answered() == old | {"ben": new["ben"]}
    bring(*(f"heads/{owner}.onnx{end}" for owner in ("ana", "cid", "generic") for end in ("", ".json")))
    assert answered() == new
    assert len({id(predictor.model(client).body) for client in (*CLIENTS, None)}) == 1


def test_a_head_of_another_backbone_and_a_changed_one_are_refused(folder: Path, exports: dict[int, Path]) -> None:
    for name in ("ana.onnx", "ana.onnx.json"):
        shutil.copy(exports[2] / "heads" / name, folder / "heads" / name)
    with head_path(folder, "ben").open("r+b") as file:
        file.seek(40)
        file.write(b"\xff")
    predictor = Predictor(folder)
    with pytest.raises(VerificationError, match="belongs behind another backbone"):
        predictor.predict(PIXELS, client="ana")
    with pytest.raises(VerificationError, match="was changed"):
        predictor.predict(PIXELS, client="ben")
    assert predictor.predict(PIXELS, client="cid").classes[:, 0].tolist() == classes_of(bundles(1)[2])


def test_a_complete_graph_beside_the_shared_weights_is_a_file_like_any_other(folder: Path) -> None:
    bundle = bundles(1)[1]
    write_complete(folder, bundle, images=IMAGES, images_source="seeded-random:0")
    answers = Predictor(folder / "ben.onnx").predict(PIXELS)
    assert answers.classes[:, 0].tolist() == classes_of(bundle)
    assert record_path(folder / "ben.onnx").is_file()


def test_features_stay_in_the_devices_memory_between_backbone_and_head(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of a GPU, on the CPU's memory: the same answers."""
    from edge.serving import opener

    plain = Predictor(folder).predict(PIXELS, client="ana", top_k=3)
    graph = opener.Graph
    monkeypatch.setattr(opener, "Graph", lambda session, **_: graph(session, memory="cpu"))
    predictor = Predictor(folder)
    bound = predictor.predict(PIXELS, client="ana", top_k=3)
    features = predictor.model("ana").body.run_on_device(PIXELS.astype(np.float32) / 255)
    assert type(features).__name__ == "OrtValue"
    assert np.array_equal(plain.classes, bound.classes)
    assert np.array_equal(plain.scores, bound.scores)


@pytest.mark.cuda
def test_cuda_answers_as_the_cpu_does(folder: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    on_cpu = Predictor(folder, device="cpu").predict(PIXELS, client="ana", top_k=3)
    predictor = Predictor(folder, device="cuda")
    on_cuda = predictor.predict(PIXELS, client="ana", top_k=3)
    assert predictor.device == "cuda"
    np.testing.assert_allclose(on_cpu.scores, on_cuda.scores, atol=1e-3)
    assert Predictor(folder, device="auto").predict(PIXELS, client="ana").digest == on_cuda.digest


def test_heads_are_all_a_further_client_costs(folder: Path) -> None:
    """A count of sessions, not of bytes: the benchmark measures those."""
    opened = []
    predictor = Predictor(folder)
    plain = predictor._opener.open
    predictor._opener.open = lambda payload, external: (opened.append(len(payload)), plain(payload, external))[1]  # type: ignore[method-assign]
    for client in CLIENTS:
        predictor.predict(PIXELS, client=client)
        predictor.predict(PIXELS, client=client)
    assert len(opened) == 1 + len(CLIENTS)
    numbers = 4 * 64 * len(CLASS_NAMES)
    assert sorted(opened)[:3][-1] < numbers + 4096


def test_a_masked_class_is_never_answered_first(folder: Path) -> None:
    bundle = bundles(1)[1]
    assert isinstance(bundle.head, Head)
    assert bundle.head.keep is not None
    answers = Predictor(folder).predict(PIXELS, client="ben", top_k=len(CLASS_NAMES))
    forbidden = set((~bundle.head.keep).nonzero().flatten().tolist())
    assert set(answers.classes[:, -len(forbidden) :].flatten().tolist()) == forbidden
    assert float(answers.scores[:, -len(forbidden) :].max()) == 0.0
