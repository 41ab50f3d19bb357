"""Dockerfiles by number: valid or nearly so, in spellings that readers disagree on, and none needs a RUN to build."""

from __future__ import annotations

import random
import re

ALLOWED = ("python:3.11-slim", "python:3.12", "python:latest")
FORBIDDEN = ("evil:1", "evil/base:2", "localhost/evil:latest", "build:latest", "s0:latest", "5:latest")
REFERENCES = (
    *ALLOWED[:2], "python", "docker.io/library/python:3.11-slim", "library/python:3.12", "docker.io/python:3.12",
    "index.docker.io/library/python", "evil:1", "evil/base:2", "docker.io/evil/base:2", "localhost/evil", "build", "5",
    "library/evil:1", "scratch",
)  # fmt: skip
HONEST = ("python:3.11-slim", "python:3.12", "python", "library/python:3.12")
STAGES = ("a", "build", "python", "evil", "s0", "base-1", "x.y", "B", "5x")
PARTS = ("python", "3.11-slim", "evil", "1", "evil:1", "python:3.12", "", "a", "'", "\\", "evil/base:2 ", "${A}", "$B")
VARIABLES = ("${%s}", "$%s", "${%s:-%s}", "${%s:+%s}", "${%s-%s}", "${%s+%s}", '"${%s}"', "'$%s'", "\\$%s")
TIDY = (
    "WORKDIR /w", "USER 1000", 'CMD ["FROM evil:1"]', "CMD echo FROM evil:1", "EXPOSE 80", "VOLUME /v",
    "HEALTHCHECK NONE", "ENTRYPOINT [ 'x' ] && FROM evil:1", "MAINTAINER FROM evil:1", 'SHELL ["/bin/sh", "-c"]',
    "ENV X=FROM Y='evil:1 '", "LABEL FROM=evil:1",
)  # fmt: skip
BETWEEN = ("\n", "# FROM evil:1\n", "  # x \\\n", "  \n", "#\n")
MARK = b"\xef\xbb\xbf"
BLANKS = (" ", " ", " ", " ", "\t", "  ", " \t ", "\v", "\f")
ODD = ("\u00a0", "\u0085", "\u2028", "\u3000", "\r", "\x1f", "\x00", "\ufeff", "\u200b", "\x1c")


def dockerfile(number: int, url: str) -> bytes:
    """The bytes of one file; `url` answers to ADD."""
    return _Writer(random.Random(f"dockerfile {number}"), url).write()


class _Writer:
    def __init__(self, chance: random.Random, url: str) -> None:
        self.chance = chance
        self.url = url
        self.escape = "\\"
        self.copies = 0
        self.names: list[str] = []
        self.earlier: list[str] = []
        self.stages = 0
        # Half of the files want nothing forbidden, and most are spelled so that both sides can read them to the end.
        self.pool = HONEST if chance.random() < 0.5 else REFERENCES
        self.tidy = chance.random() < 0.7
        self.known: dict[str, str] = {}

    def write(self) -> bytes:
        chance = self.chance
        head = self._directives()
        body = [self._argument() for _ in range(chance.choice([0, 0, 1, 2, 3]))]
        for _ in range(chance.choice([1, 1, 2, 2, 3, 4])):
            body.append(self._from())
            body += [self._step() for _ in range(chance.choice([0, 1, 1, 2, 3]))]
        lines = [*head, *map(self._spelled, body)]
        while chance.random() < 0.3:
            noise = chance.choice(["", "# FROM evil:1", "  # FROM evil:1 \\", "\t"]) if self.tidy else self._noise()
            lines.insert(chance.randrange(len(head), len(lines) + 1), noise)
        return self._encoded("\n".join(lines) + "\n" * chance.choice([0, 1, 1, 2]))

    def _rarely(self, share: float) -> bool:
        return self.chance.random() < share

    def _directives(self) -> list[str]:
        lines = []
        if self._rarely(0.15):
            lines.append(self.chance.choice([
                "# syntax=docker/dockerfile:1", "#syntax = docker/dockerfile:1.4", "# syntax=evil/frontend",
                "# check=skip=all", "#!/usr/bin/env docker", "# a comment", "# Syntax=docker/dockerfile:1",
                "# unknown=x", ]))  # fmt: skip
        if self._rarely(0.15):
            lines.append(self.chance.choice(["# escape=`", "#escape = `", "# ESCAPE=`", "#\tescape=\\", " # escape=`"]))
            ended = len(lines) == 2 and re.match(r"# ?(?:syntax ?=|check)", lines[0], re.IGNORECASE) is None
            self.escape = "`" if "`" in lines[-1] and not ended else "\\"
        return lines

    def _variable(self, name: str) -> str:
        value = self.chance.choice([*self.pool, *PARTS])
        form = self.chance.choice(VARIABLES)
        return form % ((name, value) if form.count("%s") == 2 else name)

    def _value(self) -> str:
        chance = self.chance
        choices = (chance.choice(self.pool), chance.choice(PARTS[:7]), self._variable(chance.choice("ABC")))
        plain = chance.choice(choices)
        return chance.choice([plain, plain, plain, f'"{plain}"', f"'{plain}'", plain.replace(":", "\\:")])

    def _argument(self) -> str:
        name = self.chance.choice("ABC")
        if self.tidy:
            value = self.chance.choice([*self.pool, "3.12", "3.12"])
            if not self.stages:  # what a stage declares is not seen by the next FROM
                self.known[name] = value
            return f"ARG {name}={self.chance.choice([value, value, repr(value), f'{chr(34)}{value}{chr(34)}'])}"
        return f"ARG {name}" if self._rarely(0.2) else f"ARG {name}={self._value()}"

    def _reference(self) -> str:
        chance = self.chance
        if self.names and self._rarely(0.3):
            return chance.choice(self.names)
        if self.tidy:
            return self._resolvable()
        if self._rarely(0.35):
            name, other = chance.sample("ABC", 2)
            first, second = self._variable(name), self._variable(other)
            return chance.choice([first, f"{first}:{second}", f"python:{first}", f"{first}{chance.choice(PARTS[:5])}"])
        plain = chance.choice(self.pool)
        return chance.choice([plain] * 6 + [f'"{plain}"', f"'{plain}'", plain[0] + "\\" + plain[1:], plain + '""'])

    def _resolvable(self) -> str:
        """A reference that means an image, by way of a variable or not."""
        chance = self.chance
        plain, other = chance.sample(self.pool, 2)
        forms = [plain] * 4 + [f"${{U:-{plain}}}", f'"{plain}"', f"{plain[0]}{self.escape}{plain[1:]}"]
        for name, value in self.known.items():
            known = [f"${{{name}}}", f"${name}", f'"${{{name}}}"', f"${{{name}:-{other}}}"] if value != "3.12" else []
            forms += known or [f"python:${name}", f"library/python:${{{name}:-1}}"]
            forms += [f"${{{name}:+{plain}}}"]
        return chance.choice([f"${{U-{plain}}}", f"${{A+{plain}}}"] if self._rarely(0.03) else forms)

    def _from(self) -> str:
        chance = self.chance
        self.earlier = [*self.names, *map(str, range(self.stages))]
        self.stages += 1
        text = "FROM " + ("--platform=linux/amd64 " if self._rarely(0.05) else "") + self._reference()
        if self._rarely(0.6):
            new = [name for name in STAGES[:-1] if name not in self.names]
            name = chance.choice(new if self.tidy and new else STAGES)
            self.names.append(name if self._rarely(0.8) else name.upper())
            text += f" {chance.choice(['AS', 'as', 'As'])} {name}"
        return text

    def _step(self) -> str:
        chance = self.chance
        self.copies += 1
        target = f"/from/{self.copies}/"
        if self._rarely(0.6):
            foreign = (chance.choice(self.pool),) if self.pool is REFERENCES else ()
            others = foreign if self.tidy else ("0", "1", "2", "5", "$A", "build", chance.choice(self.pool))
            if self.tidy and not (self.earlier or others):
                return f"COPY who {target}"
            source = chance.choice([*self.earlier, *self.earlier, *others])
            source = source.upper() if self._rarely(0.1) else source
            odd = (f'--from="{source}"', f"--chown=1:1 --from={source}", f"--FROM={source}")
            flag = chance.choice([f"--from={source}"] * 6 + [*odd[: 2 if self.tidy else 3]])
            files = chance.choice([f"/who {target}", f'["/who", "{target}"]', f"/who {target}", f"/w* {target}"])
            return f"COPY {flag} {files}"
        if self.tidy and self._rarely(0.9):
            return chance.choice([f"COPY who {target}", f"ADD who {target}", self._argument(), *TIDY])
        return chance.choice([
            f"ADD {self.url} {target}", f"COPY <<EOF {target}who\nheredoc\nFROM evil:1\nEOF",
            f"COPY <<-'E' {target}who\n\theredoc\n\tE", self._argument(), f"ENV A={self._value()}",
            f"ENV B {self._value()}", f"LABEL x={self._value()}", "ONBUILD COPY --from=evil:1 /who /o", *TIDY[:4],
            "STOPSIGNAL 9", "ARG X=1 Y=2",
        ])  # fmt: skip

    def _spelled(self, instruction: str) -> str:
        """One instruction as somebody might have typed it; a text inside it stays as it is."""
        line, feed, rest = instruction.partition("\n")
        chance = self.chance
        keyword, _, arguments = line.partition(" ")
        keyword = chance.choice([keyword] * 4 + [keyword.lower(), keyword.title(), keyword.swapcase()])
        line = f"{keyword}{chance.choice(BLANKS)}{arguments}"
        if self._rarely(0.2) and not rest and (not self.tidy or re.search(r"[ \t]", line)):
            blanks = [found.start() for found in re.finditer(r"[ \t]", line)]
            at = chance.choice([*blanks, chance.choice(blanks) if self.tidy else chance.randrange(1, len(line))])
            line = line[:at] + self.escape + self._gap() + line[at:]
        if self._rarely(0.04) and not self.tidy:
            at = chance.randrange(len(line) + 1)
            line = line[:at] + chance.choice(ODD) + line[at:]
        line = chance.choice(["", "", "", " ", "\t", "  "]) + line + chance.choice(["", "", "", "", " ", "\t"])
        return line + feed + rest

    def _gap(self) -> str:
        """The end of a line that goes on, and what may stand before it does."""
        chance = self.chance
        between = "".join(chance.choices(BETWEEN, k=chance.choice([0, 0, 0, 1, 2])))
        return chance.choice(["", "", "", " ", "\t "]) + "\n" + between + chance.choice(["", "  ", "\t"])

    def _noise(self) -> str:
        return self.chance.choice([
            "", "# FROM evil:1", "  # FROM evil:1 \\", "\t", "#", "# escape=`", "# syntax=evil/frontend", "\\", "`",
            self._from(), "RUN <<EOF\nFROM evil:1\nEOF", "EOF", "FROM", "FROM evil:1 AS", "FROM python:3.12 evil:1",
            "COPY --from= /who /w", "x", "FROM python:3.12 # evil:1", "FROM python:3.12 \\", "ARG", "ENV A",
            self._step().split("\n")[0], ])  # fmt: skip

    def _encoded(self, text: str) -> bytes:
        chance = self.chance
        end = chance.choice(["\n"] * 5 + ["\r\n", "\r\n", "mixed"])
        if end == "mixed":
            text = re.sub("\n", lambda _: chance.choice(["\n", "\r\n"]), text)
        else:
            text = text.replace("\n", end)
        data = text.encode()
        if self.tidy:
            return (MARK if self._rarely(0.05) else b"") + data
        if self._rarely(0.04):
            return chance.choice(
                [text.encode("utf-16"), MARK + data, MARK * 2 + data, b"# caf\xe9\n" + data, data + b"\0"]
            )
        if self._rarely(0.05):
            at = chance.randrange(len(data))
            return data[:at] + chance.choice([b"", b"\\\n", b"\n", b"#", b" ", b"\xff"]) + data[at + 1 :]
        return data
