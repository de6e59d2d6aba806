"""What a JVM class file declares and what it refers to, read from its constant pool (JVMS, chapter 4)."""

import struct
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# Constant pool tags, and the bytes after the tag of those with a fixed length.
UTF8, CLASS, FIELD, METHOD, INTERFACE_METHOD, NAME_AND_TYPE = 1, 7, 9, 10, 11, 12
LENGTHS = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
WIDE = (5, 6)  # a long or a double takes two places


@dataclass(frozen=True, order=True)
class Reference:
    """A class (`member` empty) or one of its members: name and descriptor run together, as in `getBytes()[B`."""

    owner: str
    member: str = ""


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return values

    def short(self) -> int:
        return self.take(">H")[0]


@dataclass(frozen=True)
class ClassFile:
    """A parsed class: its name, the classes it extends and implements, its members, and all that it refers to."""

    name: str
    parents: tuple[str, ...]
    members: frozenset[str]
    references: frozenset[Reference]


def parse(data: bytes) -> ClassFile:
    reader = Reader(data)
    magic, _, _, count = reader.take(">IHHH")
    if magic != 0xCAFEBABE:
        raise ValueError("not a class file")
    pool: dict[int, tuple[int, object]] = {}
    index = 1
    while index < count:
        (tag,) = reader.take(">B")
        if tag == UTF8:
            length = reader.short()
            # Java's own UTF-8 writes NUL and astral characters otherwise; they are in literals, never in names.
            pool[index] = (tag, data[reader.at : reader.at + length].decode("utf-8", "replace"))
            reader.at += length
        else:
            pool[index] = (tag, data[reader.at : reader.at + LENGTHS[tag]])
            reader.at += LENGTHS[tag]
        index += 2 if tag in WIDE else 1

    def text(place: int) -> str:
        return str(pool[place][1])

    def two(place: int) -> tuple[int, int]:
        first, second = struct.unpack(">HH", pool[place][1])  # type: ignore[arg-type]
        return first, second

    def class_name(place: int) -> str:
        return text(struct.unpack(">H", pool[place][1])[0])  # type: ignore[arg-type]

    references = set()
    for place, (tag, _) in pool.items():
        if tag == CLASS:
            references.add(Reference(element(class_name(place))))
        elif tag in (FIELD, METHOD, INTERFACE_METHOD):
            owner, signature = two(place)
            name, descriptor = two(signature)
            references.add(Reference(element(class_name(owner)), text(name) + text(descriptor)))

    _, this, parent, interfaces = reader.take(">HHHH")
    parents = [class_name(parent)] if parent else []
    parents += [class_name(place) for place in reader.take(f">{interfaces}H")]
    members = set()
    for _ in range(2):  # fields, then methods
        for _ in range(reader.short()):
            _, name, descriptor, attributes = reader.take(">HHHH")
            members.add(text(name) + text(descriptor))
            for _ in range(attributes):
                _, length = reader.take(">HI")
                reader.at += length
    return ClassFile(class_name(this), tuple(parents), frozenset(members), frozenset(references))


def element(name: str) -> str:
    """The class in an array's type: `[[Lscala/Tuple2;` → `scala/Tuple2`; empty for an array of primitives."""
    if not name.startswith("["):
        return name
    inner = name.lstrip("[")
    return inner[1:-1] if inner.startswith("L") else ""


class Library:
    """The classes of some jars, read when they are asked for."""

    def __init__(self, jars: Iterable[Path]) -> None:
        self.jars = list(jars)
        self._parsed: dict[str, ClassFile | None] = {}

    @cached_property
    def _places(self) -> dict[str, zipfile.ZipFile]:
        places: dict[str, zipfile.ZipFile] = {}
        for jar in self.jars:
            archive = zipfile.ZipFile(jar)
            for entry in archive.namelist():
                if entry.endswith(".class") and not entry.startswith("META-INF/"):
                    places.setdefault(entry.removesuffix(".class"), archive)
        return places

    def names(self) -> Iterator[str]:
        yield from self._places

    def find(self, name: str) -> ClassFile | None:
        if name not in self._parsed:
            archive = self._places.get(name)
            self._parsed[name] = parse(archive.read(name + ".class")) if archive else None
        return self._parsed[name]

    def has(self, reference: Reference) -> bool:
        """Whether the class is there and declares or inherits the member."""
        found = self.find(reference.owner)
        if found is None or not reference.member:
            return found is not None
        return reference.member in found.members or any(
            self._inherits(parent, reference.member) for parent in found.parents
        )

    def _inherits(self, parent: str, member: str) -> bool:
        if parent.startswith("java/"):
            return member.partition("(")[0] in JDK_METHODS.get(parent, ())
        return self.has(Reference(parent, member))


# The JDK's classes are not in these jars: what is inherited from them, as far as it is asked for.
JDK_METHODS = {
    "java/lang/Object": (
        "<init>",
        "clone",
        "equals",
        "getClass",
        "hashCode",
        "notify",
        "notifyAll",
        "toString",
        "wait",
    ),
    "java/lang/Iterable": ("iterator",),
    "java/lang/Enum": ("name", "ordinal", "toString"),
    "java/lang/IllegalStateException": ("getCause", "getMessage"),
}
