"""A zip file that was handed in, unpacked with bounds. Nothing here imports torch."""

import zipfile
import zlib
from pathlib import Path

LARGEST = 50 << 20  # bytes, unpacked
MOST = 1000  # files


def unpack(archive: Path, into: Path) -> str:
    """Write the files of `archive` below `into`. Returns why that cannot be; empty where it was done."""
    try:
        with zipfile.ZipFile(archive) as packed:
            files = [file for file in packed.infolist() if not file.is_dir()]
            if len(files) > MOST:
                return f"holds {len(files)} files, expected at most {MOST}"
            if sum(file.file_size for file in files) > LARGEST:
                return f"is larger than {LARGEST >> 20} MiB when unpacked"
            for file in files:
                packed.extract(file, into)  # never outside of `into`, whatever its name says
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError, ValueError) as error:
        return f"cannot be unpacked ({error})"
    return ""
