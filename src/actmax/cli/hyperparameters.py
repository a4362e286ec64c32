"""The options of single search methods: each field of a method's dataclass, in a help panel of the method."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from actmax.errors import ActmaxError
from actmax.search.names import hyperparameters
from actmax.settings import Option, Setting, check_value, from_text


def method_options(taken: Collection[str]) -> list[Setting]:
    """One option per name, without those that are taken by options of all methods.

    Where several methods have a hyperparameter, its help gives the default of each.
    """
    owners: dict[str, dict[str, Setting]] = {}
    for method, fields in hyperparameters().items():
        for field in fields:
            if field.name not in taken:
                owners.setdefault(field.name, {})[method] = field
    return sorted(map(_shared, owners.values()), key=lambda one: ("," in one.option.panel, one.option.panel))


@dataclass(frozen=True)
class Hyperparameters:
    """What was given for single methods, as text."""

    given: Mapping[str, str]

    def check(self, names: Sequence[str]) -> None:
        """Check each value, and that it belongs to a method that is run.

        Raises:
            ActmaxError: a value is refused, or none of the methods has the setting.
        """
        for option in self.given:
            owners = [
                name for name, fields in hyperparameters().items() if option in {one.name for one in fields}
            ]
            if not set(owners) & set(names):
                flag = f"--{option.replace('_', '-')}"
                raise ActmaxError(
                    f"{flag} is a setting of {', '.join(owners)}, not of {', '.join(names)};"
                    f" leave it out or give --method {owners[0]}."
                )
        for name in names:
            self.of(name)

    def of(self, method: str) -> dict[str, object]:
        """The values for one method."""
        values: dict[str, object] = {}
        for field in hyperparameters()[method]:
            if field.name in self.given:
                values[field.name] = from_text(field, self.given[field.name])
                check_value(field, values[field.name])
        return values


def _shared(of: Mapping[str, Setting]) -> Setting:
    first = next(iter(of.values()))
    panel = f"Method {next(iter(of))}" if len(of) == 1 else f"Methods {', '.join(of)}"
    defaults = {name: field.default for name, field in of.items()}
    shown = ", ".join(f"{name} {value}" for name, value in defaults.items())
    default = first.default if len(set(defaults.values())) == 1 else shown
    return replace(first, option=Option(panel=panel, metavar=first.option.metavar), default=default)
