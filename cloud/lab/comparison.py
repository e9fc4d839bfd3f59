"""A comparison of methods: every finished run, and what they add up to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from cloud.lab.search import Searched
from cloud.lab.setting import LabSetting
from cloud.lab.summary import MethodSummary
from cloud.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything a table needs.

    Attributes:
        base: The setting all runs share but for method and seed.
        runs: Results by method and seed.
        summaries: One per method, in order.
        missing: Keys of runs that are not there.
        searched: What a search for SGD's step found for each method; empty where all have the setting's.
    """

    base: LabSetting
    runs: Mapping[str, Mapping[int, Result]]
    summaries: tuple[MethodSummary, ...]
    missing: tuple[str, ...]
    searched: tuple[Searched, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return rows, summaries and what is missing, made of JSON's types."""
        return {
            "settings": msgspec.to_builtins(self.base),
            "rows": [
                {
                    "method": method,
                    "seed": seed,
                    "gm": msgspec.to_builtins(result.gm),
                    "pm": msgspec.to_builtins(result.pm),
                    "seconds": result.seconds,
                }
                for method, by_seed in self.runs.items()
                for seed, result in sorted(by_seed.items())
            ],
            "summary": [msgspec.to_builtins(summary) for summary in self.summaries],
            "missing": list(self.missing),
            "search": [
                {
                    "method": one.method,
                    "chosen": msgspec.to_builtins(one.chosen),
                    "tried": [
                        {"gm": msgspec.to_builtins(result.gm), "pm": msgspec.to_builtins(result.pm)}
                        | msgspec.to_builtins(step)
                        for step, result in one.tried.items()
                        if result is not None
                    ],
                }
                for one in self.searched
            ],
        }
