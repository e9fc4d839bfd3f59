"""A first federation file, from class names or from the images themselves."""

from typing import Final

from cloud.settings import FederationFile, ParticipationSettings, check
from shared.data import read
from shared.errors import SettingsError
from shared.methods import method_settings
from shared.settings import ModelSettings, TrainingSettings

CROP_SHARE: Final = 8
"""Images are padded by an eighth of their size before the random crop: 4 pixels of 32, as is usual for CIFAR."""


def augmented_for(model: ModelSettings) -> TrainingSettings:
    """Return training settings whose augmentation fits the images.

    Grey images are mostly written signs, and a mirrored sign is another sign: they are not mirrored.
    """
    return TrainingSettings(crop_padding=model.image_size // CROP_SHARE, horizontal_flip=model.channels == 3)


def draft(*, name: str, classes: str, data: str, clients: int, rounds: int, method: str = "fedloge") -> FederationFile:
    """Return settings to start from.

    Args:
        name: Of the federation.
        classes: Class names separated by commas; empty where ``data`` names the images.
        data: Data spec to read class names, size and channels from.
        clients: To wait for before round 1.
        rounds: To train.
        method: By name; its own knobs are written into the file.

    Raises:
        SettingsError: The method is unknown, neither classes nor data was given, or both, or fewer than two classes.
        DataError: The images cannot be read.
    """
    participation, recipe = ParticipationSettings(clients=clients), method_settings(method)
    if data and classes:
        raise SettingsError(
            "--classes and --data were both given", remedy="give one: --data takes the class names from the images"
        )
    if data:
        splits = read(data, image_size=None, channels=None, class_names=None)
        model = ModelSettings(image_size=splits.image_size, channels=1 if splits.channels == 1 else 3)
        settings = FederationFile(
            federation=name,
            class_names=splits.class_names,
            rounds=rounds,
            model=model,
            method=recipe,
            training=augmented_for(model),
            participation=participation,
        )
    else:
        names = tuple(part.strip() for part in classes.split(",") if part.strip())
        if len(names) < 2:
            raise SettingsError(
                f"{len(names)} class names, expected at least two", remedy="give --classes a,b,c or --data folder:DIR"
            )
        settings = FederationFile(
            federation=name, class_names=names, rounds=rounds, method=recipe, participation=participation
        )
    check(settings)
    return settings
