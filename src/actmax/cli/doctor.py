"""``actmax doctor``: what this machine has, what would fail, and the mend."""

from __future__ import annotations

from typing import Any

from actmax.cli.options import (
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    OutOption,
    QuietOption,
    SeedOption,
    console,
    emit_json,
    write_result,
)
from actmax.errors import ActmaxError

_MARKS = {"ok": "ok", "note": "note", "broken": "BROKEN"}


def doctor(
    model: ModelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    seed: SeedOption = 0,
    out: OutOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say what this machine has, what would fail here, and how to mend it.

    Nothing is fetched or changed. Exit code 2 where something essential is broken.

    \b
    Examples:
      actmax doctor
      actmax doctor --device cuda --json
    """
    from actmax.cli.health import Finding, examine

    findings: list[Finding] = examine(model=model, device=device, dtype=dtype)
    listing: dict[str, Any] = {
        "schema": "actmax.doctor/1",
        "healthy": all(finding.state != "broken" for finding in findings),
        "findings": [{"name": f.name, "state": f.state, "found": f.found, "mend": f.mend} for f in findings],
    }
    write_result(out, listing)
    if json:
        emit_json(listing)
    else:
        _show(findings, quiet=quiet)
    broken = [finding for finding in findings if finding.state == "broken"]
    if broken:
        more = f" ({len(broken) - 1} more)" if len(broken) > 1 else ""
        raise ActmaxError(f"{broken[0].name}: {broken[0].found}; {broken[0].mend}{more}.")


def _show(findings: list[Any], *, quiet: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        mend = f" → {finding.mend}" if finding.mend else ""
        table.add_row(_MARKS[finding.state], escape(finding.name), escape(finding.found + mend))
    console(json=False, quiet=quiet).print(table)
