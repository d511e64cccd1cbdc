"""Unpack emoji in two styles as pairs of 64x64 pictures:

    npm pack emoji-datasource-google@16.0.0 emoji-datasource-twitter@16.0.0
    python experiments/data/emoji_pairs.py emoji-datasource-*.tgz --output pairs

Google's (Noto, Apache-2.0) become pairs/source, Twitter's (Twemoji, CC BY 4.0) pairs/target. Flags
and skin tones are left out, so that a picture and its variant are never on two sides of a split.
"""

import argparse
import re
import tarfile
from pathlib import Path

MEMBER = re.compile(r"package/img/(google|twitter)/64/([0-9a-f-]+\.png)")
LEFT_OUT = re.compile(r"1f3f[b-f]|1f1e[6-9a-f]|1f1f[0-9a-f]|e00[67]")
FOLDERS = {"google": "source", "twitter": "target"}


def pictures(archive: Path) -> dict[str, bytes]:
    """Return the pictures of a package, by FOLDER/NAME."""
    found = {}
    with tarfile.open(archive) as package:
        for member in package:
            match = MEMBER.fullmatch(member.name)
            if match and member.isfile() and not LEFT_OUT.search(match[2]):
                content = package.extractfile(member)
                assert content is not None
                found[f"{FOLDERS[match[1]]}/{match[2]}"] = content.read()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archives", type=Path, nargs=2, metavar="TGZ")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    args = parser.parse_args()
    found = pictures(args.archives[0]) | pictures(args.archives[1])
    names = [{Path(key).name for key in found if key.startswith(x)} for x in FOLDERS.values()]
    both = sorted(names[0] & names[1])
    for folder in FOLDERS.values():
        (args.output / folder).mkdir(parents=True)
        for name in both:
            (args.output / folder / name).write_bytes(found[f"{folder}/{name}"])
    print(f"{len(both)} pairs in {args.output}")


if __name__ == "__main__":
    main()
