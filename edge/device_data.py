"""The images of this device: what it trains on, and what it holds out; both stay here."""

from dataclasses import dataclass

from shared.data import held_out, read
from shared.errors import DataError
from shared.images import LabelledImages
from shared.settings import SharedSettings

HELD_OUT_SHARE = 0.2
"""Share of a class's images that is held out where the folder has no ``test/`` part: the usual four to one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeviceData:
    """One client's images.

    Attributes:
        train: At least one image.
        held_out: Never trained on; may be empty on a device with very few images.
    """

    train: LabelledImages
    held_out: LabelledImages


def load_device_data(spec: str, settings: SharedSettings, client: str) -> DeviceData:
    """Read this device's images as the federation wants them.

    Args:
        spec: Data spec, usually ``folder:DIR``.
        settings: Say the class names, the size and the channels.
        client: Seeds the split where the data brings none.

    Raises:
        DataError: Missing, empty, unreadable, or of a class the federation does not know.
    """
    model = settings.model
    splits = read(spec, image_size=model.image_size, channels=model.channels, class_names=settings.class_names)
    if splits.test is not None:
        data = DeviceData(train=splits.train, held_out=splits.test)
    else:
        train, rest = held_out(splits.train, share=HELD_OUT_SHARE, seed=settings.seed, client=client)
        data = DeviceData(train=train, held_out=rest)
    if len(data.train) == 0:
        raise DataError(f"{spec} holds no training image", remedy="put at least one image into train/<class>/")
    return data
