"""The federation file that is written reads back as the settings it was written from, and says what every key is."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from cloud.settings import (
    BrokerSettings,
    EvaluationSettings,
    FederationFile,
    ParticipationSettings,
    StoreSettings,
    check,
    read_federation,
)
from cloud.template import WIDTH, examples, meanings, render
from shared.settings import MethodSettings, ModelSettings, ReportSettings, TrainingSettings

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)  # control characters, quotes, DEL, emoji
POSITIVE = st.floats(min_value=1e-9, max_value=1e12)
SHARE = st.floats(min_value=1e-6, max_value=1)


@st.composite
def federations(draw: st.DrawFn) -> FederationFile:
    names = tuple(draw(st.lists(NAMES, min_size=2, max_size=5, unique=True)))
    channels = draw(st.sampled_from([1, 3]))
    image_size = draw(st.integers(4, 1024))
    per_channel = st.sampled_from([1, channels])
    return FederationFile(
        federation=draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)),
        class_names=names,
        class_counts=draw(st.none() | st.tuples(*[st.integers(0, 10**9)] * len(names))),
        rounds=draw(st.integers(1, 10**6)),
        seed=draw(st.integers(-(2**63), 2**63 - 1)),
        model=ModelSettings(
            backbone=draw(TEXT),
            image_size=image_size,
            channels=channels,
            mean=tuple(draw(st.lists(st.floats(-1, 1), min_size=(n := draw(per_channel)), max_size=n))),
            std=tuple(draw(st.lists(POSITIVE, min_size=(n := draw(per_channel)), max_size=n))),
        ),
        method=MethodSettings(
            gamma=draw(st.just("auto") | POSITIVE), local_prior=draw(st.booleans()), mask="train-histogram"
        ),
        training=TrainingSettings(
            learning_rate=draw(POSITIVE),
            momentum=draw(st.floats(0, 0.999)),
            crop_padding=draw(st.integers(0, image_size - 1)),
        ),
        participation=ParticipationSettings(fraction=draw(SHARE), round_deadline_seconds=draw(POSITIVE)),
        report=ReportSettings(alone=draw(st.booleans())),
        evaluation=EvaluationSettings(data=draw(st.none() | TEXT)),
        broker=BrokerSettings(
            url=draw(st.sampled_from(["embedded", "mqtt://host", "mqtts://[::1]:8883"])),
            username=draw(st.none() | TEXT),
            password_file=draw(st.none() | TEXT),
        ),
        store=StoreSettings(folder=draw(TEXT), database=draw(TEXT)),
    )


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(written=federations())
def test_what_is_written_is_read_back(tmp_path: Path, written: FederationFile) -> None:
    check(written)
    file = tmp_path / "federation.toml"
    file.write_bytes(render(written).encode())
    assert read_federation(file) == written


def test_the_defaults_are_read_back_and_every_key_stands_there_with_its_meaning() -> None:
    written = FederationFile(federation="demo", class_names=("cat", "dog"))
    text = render(written)
    assert msgspec.toml.decode(text, type=FederationFile) == written
    lines = text.splitlines()
    assert all(len(line) <= WIDTH for line in lines if line.startswith("# "))
    keys = [key for section in sections(written) for key in fields(section)]
    for key in keys:
        (at, *others) = [number for number, line in enumerate(lines) if re.match(rf"(# )?{key} = ", line)]
        assert not others or key in {"data", "name"}
        assert lines[at - 1].startswith("# "), f"{key} stands there without its meaning"


def test_every_key_of_every_section_is_explained_by_its_docstring() -> None:
    for section in sections(FederationFile(federation="demo", class_names=("cat", "dog"))):
        assert meanings(type(section)).keys() >= set(fields(section)), type(section)
        assert not meanings(type(section)).keys() - {f.name for f in msgspec.structs.fields(section)}, "a key is gone"


def test_every_absent_key_shows_a_value_that_can_be_used_by_removing_the_hash() -> None:
    written = FederationFile(federation="demo", class_names=("cat", "dog", "fox"))
    text = render(written)
    filled = text
    for key in examples(written):
        filled, changed = re.subn(rf"^# ({key.rpartition('.')[2]} = )", r"\1", filled, flags=re.MULTILINE)
        assert changed == 1
    read = msgspec.toml.decode(filled, type=FederationFile)
    check(read)
    assert read.class_counts == (100, 100, 100)
    assert None not in (read.evaluation.data, read.broker.username, read.broker.password_file)
    assert not re.search(r"^# \w+ =$", text, flags=re.MULTILINE)


def test_a_key_that_takes_some_words_only_lists_them() -> None:
    text = render(FederationFile(federation="demo", class_names=("cat", "dog")))
    unwrapped = text.replace("\n# ", " ")
    assert 'One of: "none", "train-histogram".' in unwrapped
    assert 'One of: "etf+prior", "etf", "psi", "phi", "realigned", "realigned+phi", "realigned+psi", "psi+phi",' in (
        unwrapped
    )
    assert tomllib.loads(text)["method"]["mask"] == "none"


@pytest.mark.parametrize("name", ["\x00", "a\nb", "\x7f", "\x9b", "\udcff"])
def test_a_class_name_that_no_file_could_hold_is_refused(name: str) -> None:
    from shared.errors import SettingsError

    with pytest.raises(SettingsError, match="class_names"):
        check(FederationFile(federation="demo", class_names=("cat", name)))


def sections(section: Struct) -> list[Struct]:
    values = [getattr(section, field.name) for field in msgspec.structs.fields(section)]
    return [section, *(part for value in values if isinstance(value, Struct) for part in sections(value))]


def fields(section: Struct) -> list[str]:
    """Return the keys that are no sections."""
    names = [field.name for field in msgspec.structs.fields(section)]
    return [name for name in names if not isinstance(getattr(section, name), Struct)]
