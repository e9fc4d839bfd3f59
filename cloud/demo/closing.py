"""The table a demo ends with: per client, three models on the same held-out images."""

from rich import box
from rich.table import Table
from rich.text import Text

from cloud.demo.comparison import MODELS, best_models, difference
from cloud.result import ClientResult, Means, Result
from cloud.words import gain, percent


def closing_table(result: Result) -> Table:
    """Return client, images, alone, generic, personal and the gain over alone, with the mean as last row.

    The best model of each row is bold and starred, so it is seen without colour too; all text is ASCII but for names,
    and rich draws the lines in ASCII where the terminal knows nothing else.
    """
    table = Table(
        title="Accuracy on each client's own held-out images",
        caption="* best of the row; gain: personal over alone, in percentage points",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("client", overflow="fold")
    for heading in ("train", "held out", *MODELS, "gain"):
        table.add_column(heading, justify="right", no_wrap=True)
    clients = result.pm.per_client
    for client in clients:
        trained = "-" if client.num_train_images is None else str(client.num_train_images)
        table.add_row(Text(client.client), trained, str(client.num_images), *_figures(client))
    table.add_section()
    trained = str(sum(c.num_train_images or 0 for c in clients)) if any(c.num_train_images for c in clients) else "-"
    held_out = str(sum(client.num_images for client in clients))
    table.add_row(Text("mean (images: sum)"), trained, held_out, *_figures(result.pm.means))
    return table


def _figures(figures: ClientResult | Means) -> list[Text]:
    best = best_models(figures)
    cells = [
        Text(f"{percent(getattr(figures, name))}*", style="bold")
        if name in best
        else Text(f"{percent(getattr(figures, name))} ")
        for name in MODELS
    ]
    over_alone = difference(figures, "alone")
    style = "" if over_alone is None else "green" if over_alone > 0 else "red" if over_alone < 0 else ""
    return [*cells, Text(gain(over_alone), style=style)]
