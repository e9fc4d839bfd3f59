"""What the lab's options ask for: a setting, or one line that names the option that does not fit."""

from typing import Any

from shared.errors import UsageError


def setting_of(**values: Any) -> Any:
    """Return the setting, or refuse the option that does not fit before any image is read."""
    import msgspec  # noqa: PLC0415 - help must not wait

    from cloud.lab.setting import LabSetting, method_of  # noqa: PLC0415
    from shared.complaint import complaint  # noqa: PLC0415

    try:
        setting = msgspec.convert(values, LabSetting)
    except msgspec.ValidationError as cause:
        raise UsageError(
            f"options do not fit: {complaint(cause, LabSetting)}", remedy="see: fedloge lab run --help"
        ) from cause
    method_of(setting)
    return setting


def knobs_of(pairs: list[str] | None) -> dict[str, Any]:
    """Read KEY=VALUE pairs; a value is a TOML value, or a plain word."""
    import msgspec  # noqa: PLC0415 - help must not wait

    found: dict[str, Any] = {}
    for pair in pairs or []:
        key, equals, text = pair.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"--set takes KEY=VALUE, got {pair!r}", remedy="such as --set gamma=1.0")
        try:
            found |= msgspec.toml.decode(f"{key} = {text}")
        except msgspec.DecodeError:
            found[key] = text
    return found


def plain(result: Any) -> dict[str, Any]:
    """Return a result made of JSON's types."""
    import msgspec  # noqa: PLC0415 - help must not wait

    plain: dict[str, Any] = msgspec.to_builtins(result)
    return plain
