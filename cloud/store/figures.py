"""A client's own figures as columns: scalars, and accuracies of three class groups where the federation asks for them.

There is no column for a per-class figure or a class count of a client: those stay on its device.
"""

import msgspec
from sqlalchemy import JSON, Double
from sqlalchemy.orm import Mapped, mapped_column

from shared.messages import ClientFigures, Groups


class FigureColumns:
    """Columns of ``ClientFigures``; ``num_images`` is NULL where the client sent none."""

    num_images: Mapped[int | None] = mapped_column(comment="Held-out images the figures were measured on")
    generic: Mapped[float | None] = mapped_column(Double, comment="Accuracy of the generic model on them, 0..1")
    personal: Mapped[float | None] = mapped_column(Double, comment="Accuracy of the personal model on them, 0..1")
    alone: Mapped[float | None] = mapped_column(
        Double, comment="Accuracy of a model trained on that device alone, 0..1; only where asked for"
    )
    generic_groups: Mapped[dict[str, float | None] | None] = mapped_column(
        JSON(none_as_null=True), comment="Generic accuracy on head, medium, tail; only with report_groups"
    )
    personal_groups: Mapped[dict[str, float | None] | None] = mapped_column(
        JSON(none_as_null=True), comment="Personal accuracy on head, medium, tail; only with report_groups"
    )

    def write_figures(self, figures: ClientFigures | None) -> None:
        """Fill the columns; None clears them."""
        self.num_images = None if figures is None else figures.num_images
        self.generic = None if figures is None else figures.generic
        self.personal = None if figures is None else figures.personal
        self.alone = None if figures is None else figures.alone
        self.generic_groups = None if figures is None else _to_json(figures.generic_groups)
        self.personal_groups = None if figures is None else _to_json(figures.personal_groups)

    def read_figures(self) -> ClientFigures | None:
        """Return what ``write_figures`` was given."""
        if self.num_images is None:
            return None
        return ClientFigures(
            num_images=self.num_images,
            generic=self.generic,
            personal=self.personal,
            alone=self.alone,
            generic_groups=_from_json(self.generic_groups),
            personal_groups=_from_json(self.personal_groups),
        )


def _to_json(groups: Groups | None) -> dict[str, float | None] | None:
    return None if groups is None else msgspec.structs.asdict(groups)


def _from_json(groups: dict[str, float | None] | None) -> Groups | None:
    return None if groups is None else msgspec.convert(groups, Groups)
