# SPDX-License-Identifier: BSD-3-Clause
# What the checks of this folder let pass, in the file "exceptions" beside this one. The list only
# shrinks: an exception that no check needs any more is refused.
import os

KINDS = ("circle", "file", "function", "include", "parameters", "reach")
SIZED = ("file", "function", "parameters")  # these end with a number
PATH = os.path.relpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "exceptions"))


class ExceptionList:
    """The exceptions of some kinds, by their words."""

    def __init__(self, *kinds):
        self.entries = {}  # words without a number: [where, number, used]
        self.wrong = []
        for number, line in enumerate(open(PATH), 1):
            text, _, why = line.partition("#")
            words = text.split()
            if words and words[0] not in KINDS:
                self.wrong.append(f"{PATH}:{number}: {words[0]}: no check has this kind")
            if not words or words[0] not in kinds:
                continue
            sized = words[0] in SIZED
            limit = int(words.pop()) if sized and words[-1].isdigit() else None
            where = f"{PATH}:{number}: {' '.join(words)}: "
            if tuple(words) in self.entries:
                self.wrong.append(where + "stands there twice")
            if not sized and not why.strip():
                self.wrong.append(where + "does not say why")
            if sized and not limit:
                self.wrong.append(where + "does not say how many")
            self.entries[tuple(words)] = [where, limit, False]

    def has(self, *words):
        """Whether this finding, kind first, is excepted."""
        if words in self.entries:
            self.entries[words][2] = True
        return words in self.entries

    def number(self, *words):
        """How much is allowed; None if nothing is excepted."""
        return self.entries[words][1] if self.has(*words) else None

    def complain(self):
        """Prints what is wrong with the list itself, after all findings were looked up."""
        for line in self.wrong:
            print(line)
        for where, _, used in self.entries.values():
            if not used:
                print(where + "not needed any more")
