"""Asks a technician, unless an option or an earlier run has the answer already."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import typer

from edge.errors import CanopyError, ConfigError
from edge.setup.answers import Answers, keep_answers

T = TypeVar("T")
TRIES = 5


class Questions:
    """Questions whose answers are tried at once, and kept.

    Args:
        config: the configuration that is to come.
        answers: what is known; options are in it already.
        given: names of what options gave, which is not asked again when it is wrong.
        asks: whether somebody is there; otherwise what is not given is taken as proposed.
    """

    def __init__(self, config: Path, answers: Answers, given: set[str], *, asks: bool) -> None:
        self._config, self._answers, self._given, self._asks = config, answers, given, asks

    def ask(self, name: str, question: str, proposed: str | None, use: Callable[[str], T]) -> T:
        """An answer that ``use`` accepts, and what ``use`` makes of it.

        Raises:
            CanopyError: what an option said, or nobody corrected, cannot be used.
        """
        answer = getattr(self._answers, name)
        for _ in range(TRIES):
            if answer is None:
                answer = self._asked(name, question, proposed)
            try:
                used = use(answer)
            except CanopyError as error:
                if not self._asks or name in self._given:
                    raise
                typer.secho(str(error), fg="red", err=True)
                answer = None
                continue
            setattr(self._answers, name, answer)
            keep_answers(self._config, self._answers)
            return used
        raise ConfigError(f"--{name} was not answered after {TRIES} tries; give it as an option when it is known")

    def confirm(self, question: str, *, proposed: bool = True) -> bool:
        """Yes or no; what is proposed where nobody is there."""
        return typer.confirm(question, default=proposed) if self._asks else proposed

    def secret(self, question: str) -> str | None:
        """What is typed and not shown, and kept nowhere; None where nobody is there."""
        return str(typer.prompt(question, hide_input=True, default="", show_default=False)) if self._asks else None

    def forget(self, name: str) -> str | None:
        """Take an answer back, to be asked again; what it was.

        Raises:
            ConfigError: nobody is there to answer otherwise.
        """
        former: str | None = getattr(self._answers, name)
        if not self._asks:
            raise ConfigError(f"--{name} {former} is not what was meant, and nobody is asked; give another")
        self._given.discard(name)
        setattr(self._answers, name, None)
        return former

    def _asked(self, name: str, question: str, proposed: str | None) -> str:
        if self._asks:
            return str(typer.prompt(question, default=proposed))
        if proposed is None:
            raise ConfigError(f"nobody is asked, and --{name} is not given; {question[0].lower()}{question[1:]}?")
        return proposed
