import logging
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from edge.candidate import open_candidates
from edge.journal import Journal
from edge.serving import Predictor
from edge.serving.model import ServedModel
from edge.serving.opener import Opener
from edge.serving.providers import candidates, fastest
from edge.serving.sources import FileSource
from edge.versions import ONNX, Versions
from export.record import record_path
from shared.errors import ExportError, RoundError, SettingsError, VerificationError
from tests.edge.fake_models import NAMES, long_tailed, pixels, write_fake

GOOD, SWAPPED = (0, 1, 2, 3), (1, 0, 2, 3)
IMAGES = pixels([0, 1, 2, 3, 0]).images.numpy()
DATA = long_tailed()


def replace(folder: Path, answers: tuple[int, ...], salt: str) -> str:
    """Replace a served file as an exporter does: each file by rename, one after the other."""
    record = write_fake(folder / "aside", answers, salt=salt)
    for path in (folder / "aside" / ONNX, record_path(folder / "aside" / ONNX)):
        path.replace(folder / path.name)
    return record.sha256


def test_a_file_answers_classes_by_likelihood_with_their_names(tmp_path: Path) -> None:
    record = write_fake(tmp_path, SWAPPED)
    answers = Predictor(tmp_path / ONNX).predict(IMAGES, top_k=2)
    assert (len(answers), answers.digest, answers.class_names) == (5, record.sha256, NAMES)
    assert answers.classes[:, 0].tolist() == [1, 0, 2, 3, 1]
    assert answers.named(0)[0][0] == "b"
    logits = np.array([0.0, 5.0, 0.0, 0.0])
    np.testing.assert_allclose(answers.scores[0, 0], (np.exp(logits) / np.exp(logits).sum())[1], rtol=1e-6)
    assert answers.unit == "probability"


def test_batches_change_nothing(tmp_path: Path) -> None:
    write_fake(tmp_path, SWAPPED)
    whole = Predictor(tmp_path / ONNX).predict(IMAGES, top_k=4)
    for batch in (1, 2, 3, 5):
        part = Predictor(tmp_path / ONNX, batch=batch).predict(IMAGES, top_k=9)
        assert np.array_equal(part.classes, whole.classes)
        assert np.array_equal(part.scores, whole.scores)


def test_an_agents_folder_serves_its_current_version_and_follows_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "agent.sqlite")
    with pytest.raises(RoundError, match="no model serves"):
        Predictor(tmp_path).predict(IMAGES)

    def put(answers: tuple[int, ...], salt: str) -> str:
        with open_candidates(tmp_path, journal) as models:
            return models.put_forward(
                lambda folder: write_fake(folder, answers, salt=salt), data=DATA, origin="finish"
            ).digest

    first = put((0, 0, 0, 3), "1")
    predictor = Predictor(tmp_path)
    assert predictor.predict(IMAGES).digest == first
    second = put(GOOD, "2")
    assert predictor.predict(IMAGES).digest == second
    with open_candidates(tmp_path, journal) as models:
        models.rollback()
    assert predictor.predict(IMAGES).digest == first
    journal.close()


def test_files_that_are_gone_for_a_moment_stop_no_call(tmp_path: Path) -> None:
    first = write_fake(tmp_path, GOOD).sha256
    predictor = Predictor(tmp_path / ONNX)
    predictor.predict(IMAGES)
    shutil.move(tmp_path / ONNX, tmp_path / "away")
    assert predictor.predict(IMAGES).digest == first
    assert predictor.predict(IMAGES).digest != replace(tmp_path, SWAPPED, "next")


def test_a_file_beside_another_ones_record_does_not_take_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The moment between the two renames, held: old record, new file."""
    first = write_fake(tmp_path, GOOD).sha256
    predictor = Predictor(tmp_path / ONNX)
    predictor.predict(IMAGES)
    second = write_fake(tmp_path / "aside", SWAPPED, salt="next").sha256
    (tmp_path / "aside" / ONNX).replace(tmp_path / ONNX)
    for _ in range(3):
        answers = predictor.predict(IMAGES)
        assert answers.digest == first
        assert answers.classes[:, 0].tolist() == [0, 1, 2, 3, 0]
    assert len([record for record in caplog.records if "goes on answering" in record.message]) == 1
    record_path(tmp_path / "aside" / ONNX).replace(record_path(tmp_path / ONNX))
    assert predictor.predict(IMAGES).digest == second


def test_a_first_call_between_the_two_renames_is_answered_after_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_fake(tmp_path, GOOD)
    second = write_fake(tmp_path / "aside", SWAPPED, salt="next").sha256
    (tmp_path / "aside" / ONNX).replace(tmp_path / ONNX)
    tries: list[None] = []
    load = FileSource.load

    def then_renamed(source: FileSource, client: str | None, opener: Opener) -> ServedModel:
        tries.append(None)
        try:
            return load(source, client, opener)
        except VerificationError:
            record_path(tmp_path / "aside" / ONNX).replace(record_path(tmp_path / ONNX))
            raise

    monkeypatch.setattr(FileSource, "load", then_renamed)
    assert Predictor(tmp_path / ONNX).predict(IMAGES).digest == second
    assert len(tries) == 2


def test_a_file_that_stays_damaged_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fake(tmp_path, GOOD)
    (tmp_path / ONNX).write_bytes(b"x")
    tries: list[None] = []
    load = FileSource.load

    def counted(source: FileSource, client: str | None, opener: Opener) -> ServedModel:
        tries.append(None)
        return load(source, client, opener)

    monkeypatch.setattr(FileSource, "load", counted)
    monkeypatch.setattr("edge.serving.predictor.SETTLING_SECONDS", 0.05)
    predictor = Predictor(tmp_path / ONNX)
    with pytest.raises(VerificationError, match="was changed"):
        predictor.predict(IMAGES)
    first = len(tries)
    with pytest.raises(VerificationError, match="was changed"):
        predictor.predict(IMAGES)
    assert first > 1
    assert len(tries) == first + 1
    write_fake(tmp_path, SWAPPED, salt="whole")
    assert predictor.predict(IMAGES).classes[:, 0].tolist() == [1, 0, 2, 3, 1]


def test_a_damaged_file_is_refused_at_the_first_call(tmp_path: Path) -> None:
    write_fake(tmp_path, GOOD)
    with (tmp_path / ONNX).open("ab") as file:
        file.write(b"x")
    with pytest.raises(VerificationError, match="was changed"):
        Predictor(tmp_path / ONNX).predict(IMAGES)
    with pytest.raises(VerificationError, match="is no model"):
        Predictor(tmp_path / "nothing")


def test_what_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    write_fake(tmp_path, GOOD)
    predictor = Predictor(tmp_path / ONNX)
    with pytest.raises(ExportError, match=r"images are \(1, 3, 1, 1\) uint8, expected uint8 of shape \(N, 4, 1x1"):
        predictor.predict(IMAGES[:1, :3])
    with pytest.raises(ExportError, match="float32"):
        predictor.predict(IMAGES.astype(np.float32))  # type: ignore[arg-type]
    with pytest.raises(ExportError, match="no image"):
        predictor.predict(IMAGES[:0])
    with pytest.raises(SettingsError, match="top_k is 0"):
        predictor.predict(IMAGES, top_k=0)
    with pytest.raises(VerificationError, match="holds one model"):
        predictor.predict(IMAGES, client="ana")


def test_one_clear_warning_where_a_device_was_asked_for_in_vain_and_no_word_otherwise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    write_fake(tmp_path, GOOD)
    with caplog.at_level(logging.WARNING):
        Predictor(tmp_path / ONNX).predict(IMAGES)
        assert candidates("auto", there=("cpu",)) == ("cpu",)
        assert not caplog.records
        assert candidates("cuda", there=("cpu",)) == ("cpu",)
        assert [record.message.split(":")[0] for record in caplog.records] == [
            "cuda was asked for and is not usable here"
        ]
        caplog.clear()
        assert candidates("cuda", there=("tensorrt", "cuda", "cpu")) == ("cuda",)
        assert not caplog.records
    assert capfd.readouterr() == ("", "")
    with pytest.raises(SettingsError, match="device 'gpu' is unknown"):
        Predictor(tmp_path / ONNX, device="gpu")


def test_the_device_is_the_one_that_was_measured_to_be_fastest() -> None:
    calls = {"tensorrt": 0, "cuda": 0, "cpu": 0}
    slow = threading.Event()

    def call_on(device: str):  # noqa: ANN202
        if device == "tensorrt":
            raise ExportError("no kernel")

        def call() -> None:
            calls[device] += 1
            if device == "cuda":
                slow.wait(0.002)  # a wait that ends by its timeout: cuda is slow here

        return call

    assert fastest(("tensorrt", "cuda", "cpu"), call_on) == "cpu"
    assert calls["cuda"] == calls["cpu"] > 5
    assert fastest(("cpu",), call_on) == "cpu"  # nothing to choose, nothing measured
    assert calls["cuda"] == calls["cpu"]
    with pytest.raises(ExportError, match="no kernel"):
        fastest(("tensorrt", "tensorrt"), call_on)


def test_io_binding_gives_the_same_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of a GPU, on the CPU's memory."""
    from edge.serving import opener

    write_fake(tmp_path, SWAPPED)
    plain = Predictor(tmp_path / ONNX).predict(IMAGES, top_k=3)
    graph = opener.Graph
    monkeypatch.setattr(opener, "Graph", lambda session, **_: graph(session, memory="cpu"))
    bound = Predictor(tmp_path / ONNX).predict(IMAGES, top_k=3)
    assert np.array_equal(plain.classes, bound.classes)
    assert np.array_equal(plain.scores, bound.scores)


@pytest.mark.parametrize("kind", ["file", "state"])
def test_no_call_fails_and_none_is_half_switched_while_models_change(kind: str, tmp_path: Path) -> None:
    """Each version answers in its own way; every answer must be its digest's own, whole."""
    expected = made_versions(tmp_path / "made")
    served = tmp_path / "served"
    served.mkdir()
    if kind == "state":
        shutil.copytree(tmp_path / "made", served / "models")

    def switch(number: int) -> None:
        if kind == "state":
            Versions(served).switch(number)
            return
        for name in (ONNX, f"{ONNX}.json"):
            shutil.copy(tmp_path / "made" / str(number) / name, served / f"{name}.aside")
            (served / f"{name}.aside").replace(served / name)

    switch(0)
    predictor = Predictor(served if kind == "state" else served / ONNX)
    callers = Callers(predictor, expected)
    for number, digest in list(enumerate(expected))[1:]:
        switch(number)
        while predictor.predict(IMAGES).digest != digest:
            pass  # it takes finitely many calls, or the test's time limit ends it
    callers.join()
    assert callers.wrong == []
    assert len(callers.seen) > 1


def made_versions(folder: Path) -> dict[str, list[int]]:
    """Write versions 0 to 11; return what each answers, by its digest."""
    ways = [GOOD, SWAPPED, (2, 3, 0, 1), (3, 2, 1, 0)]
    return {
        write_fake(folder / str(number), way, salt=str(number)).sha256: [way[kind] for kind in (0, 1, 2, 3, 0)]
        for number in range(12)
        for way in [ways[number % 4]]
    }


class Callers:
    """Three threads that call a predictor until they are joined, and keep what was wrong."""

    def __init__(self, predictor: Predictor, expected: dict[str, list[int]]) -> None:
        self.predictor, self.expected = predictor, expected
        self.seen: set[str] = set()
        self.wrong: list[object] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(3)]
        for thread in self._threads:
            thread.start()

    def _call(self) -> None:
        while not self._over.is_set():
            try:
                answers = self.predictor.predict(IMAGES)
            except Exception as error:  # noqa: BLE001 - any failure is the claim's end
                self.wrong.append(error)
                return
            self.seen.add(answers.digest)
            if answers.classes[:, 0].tolist() != self.expected[answers.digest]:
                self.wrong.append(answers)

    def join(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
