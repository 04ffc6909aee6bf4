"""Paths in a configuration file: relative ones start at its folder, wherever the program was started."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

FOLDER = "folder"  # key of the validation context that `load_toml` gives


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get(FOLDER)
    return path if folder is None else Path(folder) / path


def _is_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"expected a file; there is none at {path}")
    return path


def _folder_exists(path: Path) -> Path:
    if not path.parent.is_dir():
        raise ValueError(f"expected a path in a folder that exists; there is none at {path.parent}")
    return path


LocalFile = Annotated[Path, AfterValidator(_from_folder), AfterValidator(_is_file)]
"""A file that must be there."""
NewFile = Annotated[Path, AfterValidator(_from_folder), AfterValidator(_folder_exists)]
"""A file that the program makes where it is missing; its folder must be there."""
